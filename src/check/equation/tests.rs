use super::*;
use crate::ir::expr::Variable;
use crate::ir::expr::tests::{VARIABLES, random, simplified};
use crate::syntax::parse_value;

fn name(variable: Variable) -> String {
    match variable {
        Variable::Element => "x".to_string(),
        Variable::Body => "f".to_string(),
        Variable::Shortcut => "s".to_string(),
        Variable::Gate(index) => format!("g{index}"),
        Variable::Trained(index) => format!("a{index}"),
    }
}

fn read(text: &str) -> Result<Expr, Diagnostic> {
    let expr = parse_value(text, 0).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let names = |word: &str| {
        let mut variables = VARIABLES.into_iter();
        variables.find(|v| name(*v) == word).map(Expr::Variable)
    };
    equation(&expr, &names)
}

#[test]
fn what_is_printed_is_read_to_the_same() {
    random(3000, 2000, |expr, _| {
        let simple = simplified(&expr);
        let text = simple.equation(name).to_string();
        assert_eq!(read(&text), Ok(simple.clone()), "{text}");
        simple.number().is_none()
    });
}

#[test]
fn what_has_no_meaning_for_elements_is_refused() {
    for text in [
        "x % 2",
        "true",
        "[x]",
        "x and f",
        "if x { 1 } else { 0 }",
        "y",
        "floor(x)",
        "exp(x, f)",
        "min(x)",
        "exp(a: x)",
        "1e999",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn several_operands_of_min_and_max_are_joined() {
    assert_eq!(read("max(x, f, 1)"), read("max(max(x, f), 1)"));
}
