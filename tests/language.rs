//! Tests of the syntax in both directions: printed text is parsed to the same tree, and the
//! canonical form is unique, keeps comments, and does not depend on blanks.

use proptest::prelude::*;
use vanc::span::{Span, Spanned};
use vanc::syntax::ast::*;
use vanc::syntax::{parse, parse_value, print, print_expr};

/// Prints a tree without its spans.
fn shape(tree: &impl std::fmt::Debug) -> String {
    let text = format!("{tree:?}");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("Span {") {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').map_or(rest.len(), |i| at + i + 1);
        rest = &rest[end..];
    }
    out + rest
}

fn name() -> impl Strategy<Value = Ident> {
    // Some begin like keywords and numbers.
    let names = [
        "n", "width", "relu", "conv1x1", "_", "iffy", "input_", "order", "nothing", "trueish",
        "as1", "e5", "project", "same", "android", "Skip",
    ];
    prop::sample::select(names.to_vec()).prop_map(ident)
}

/// Generates a key, which may be a keyword.
fn key() -> impl Strategy<Value = Ident> {
    prop_oneof![
        name(),
        prop::sample::select(["train", "in", "if", "not", "true"].as_slice()).prop_map(ident)
    ]
}

fn ident(text: &str) -> Ident {
    Spanned::new(text.to_string(), Span::default())
}

fn expr(kind: ExprKind) -> Expr {
    Expr {
        span: Span::default(),
        kind,
    }
}

fn call(args: impl Strategy<Value = Option<Vec<Arg>>>) -> impl Strategy<Value = Call> {
    (name(), args).prop_map(|(name, args)| Call {
        span: Span::default(),
        name,
        args,
    })
}

fn expression() -> impl Strategy<Value = Expr> {
    let ints = ["0", "12", "1_000", "99999999999999999999"];
    let floats = ["0.5", "1e-5", "2.5E+3", "1_0.0_1"];
    let leaf = prop_oneof![
        prop::sample::select(ints.to_vec()).prop_map(|n| ExprKind::Int(n.to_string())),
        prop::sample::select(floats.to_vec()).prop_map(|x| ExprKind::Float(x.to_string())),
        any::<bool>().prop_map(ExprKind::Bool),
        call(Just(None)).prop_map(ExprKind::Call),
    ];
    leaf.prop_map(expr).prop_recursive(6, 40, 4, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let unary = prop::sample::select([UnaryOp::Negate, UnaryOp::Not].as_slice());
        let binary = prop::sample::select(OPERATORS.as_slice());
        prop_oneof![
            (unary, boxed()).prop_map(|(op, a)| ExprKind::Unary(op, a)),
            (binary, boxed(), boxed()).prop_map(|(op, a, b)| ExprKind::Binary(op, a, b)),
            (boxed(), boxed(), boxed()).prop_map(|(c, a, b)| ExprKind::If(c, a, b)),
            prop::collection::vec(inner.clone(), 0..3).prop_map(ExprKind::List),
            call(arguments(inner)).prop_map(ExprKind::Call),
        ]
        .prop_map(expr)
    })
}

const OPERATORS: [BinaryOp; 14] = [
    BinaryOp::Or,
    BinaryOp::And,
    BinaryOp::Equal,
    BinaryOp::NotEqual,
    BinaryOp::Less,
    BinaryOp::LessEqual,
    BinaryOp::Greater,
    BinaryOp::GreaterEqual,
    BinaryOp::Add,
    BinaryOp::Subtract,
    BinaryOp::Multiply,
    BinaryOp::Divide,
    BinaryOp::Modulo,
    BinaryOp::Power,
];

fn arguments(value: impl Strategy<Value = Expr>) -> impl Strategy<Value = Option<Vec<Arg>>> {
    let arg = (prop::option::of(key()), value).prop_map(|(key, value)| Arg { key, value });
    prop::option::of(prop::collection::vec(arg, 0..4))
}

fn layer() -> impl Strategy<Value = Call> {
    call(arguments(expression()))
}

fn body(statements: Vec<Statement>) -> Body {
    Body {
        span: Span::default(),
        statements,
    }
}

fn statement() -> impl Strategy<Value = Statement> {
    let leaf = prop_oneof![
        1 => layer().prop_map(StatementKind::Input),
        4 => layer().prop_map(StatementKind::Layer),
    ];
    let labelled = |kind: BoxedStrategy<StatementKind>| {
        (prop::option::of(name()), kind).prop_map(|(label, kind)| Statement {
            span: Span::default(),
            label,
            kind,
        })
    };
    labelled(leaf.boxed()).prop_recursive(3, 12, 3, move |inner| {
        let inside = || prop::collection::vec(inner.clone(), 0..3).prop_map(body);
        let repeat = (expression(), prop::option::of(name()), inside());
        let skip = (expression(), prop::option::of(name()), inside());
        let kind = prop_oneof![
            repeat.prop_map(|(count, counter, body)| StatementKind::Repeat {
                count,
                counter,
                body
            }),
            skip.prop_map(|(policy, project, body)| StatementKind::Skip {
                policy,
                project,
                body
            }),
            inside().prop_map(|body| StatementKind::Concat { body }),
        ];
        labelled(kind.boxed())
    })
}

fn item() -> impl Strategy<Value = Item> {
    let bound = || prop::option::of(expression());
    let range = (bound(), any::<bool>(), bound()).prop_map(|(lo, inclusive, hi)| Range {
        span: Span::default(),
        lo,
        inclusive,
        hi,
    });
    let param = (name(), name(), expression(), prop::option::of(range));
    let default = prop::option::of(expression());
    let formal = (name(), name(), default).prop_map(|(name, kind, default)| Formal {
        name,
        kind,
        default,
    });
    let formals = prop::option::of(prop::collection::vec(formal, 0..3));
    let statements = || prop::collection::vec(statement(), 0..4).prop_map(body);
    let setting = (key(), expression()).prop_map(|(key, value)| Setting { key, value });
    prop_oneof![
        param.prop_map(|(name, kind, default, range)| Item::Param(Param {
            span: Span::default(),
            doc: None,
            name,
            kind,
            default,
            range,
        })),
        (name(), formals, statements()).prop_map(|(name, formals, body)| Item::Block(Block {
            span: Span::default(),
            name,
            formals,
            body,
        })),
        (name(), statements()).prop_map(|(name, body)| Item::Model(Model {
            span: Span::default(),
            doc: None,
            name,
            body,
        })),
        prop::collection::vec(setting, 0..4).prop_map(|settings| Item::Train(Train {
            span: Span::default(),
            settings,
        })),
    ]
}

fn file() -> impl Strategy<Value = File> {
    prop::collection::vec(item(), 0..5).prop_map(|items| File {
        items,
        comments: Vec::new(),
    })
}

/// Splits a text into blanks, comments and the rest.
fn pieces(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let blank = |c: char| c.is_ascii_whitespace();
        let end = if rest.starts_with("//") {
            rest.find('\n')
        } else if rest.starts_with(blank) {
            rest.find(|c| !blank(c))
        } else {
            let comment = rest.find("//").unwrap_or(rest.len());
            Some(rest.find(blank).unwrap_or(rest.len()).min(comment))
        };
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        out.push(piece);
        rest = after;
    }
    out
}

/// Replaces the blanks between the words of `text` by others, some with comments.
fn mangle(text: &str, gaps: &[usize]) -> String {
    let blanks = [
        " ",
        "\n",
        "\n\n\n",
        "\t ",
        " // note\n",
        "\r\n",
        "\n    // own\n\n",
        "  ",
    ];
    let mut gaps = gaps.iter().cycle();
    let mut out = String::new();
    for piece in pieces(text) {
        if piece.starts_with(|c: char| c.is_ascii_whitespace()) {
            if out.lines().last().is_some_and(|line| line.contains("//")) {
                out.push('\n');
            }
            out.push_str(blanks[gaps.next().copied().unwrap_or(0) % blanks.len()]);
        } else {
            out.push_str(piece);
        }
    }
    out
}

fn examples() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = std::fs::read_dir(folder).expect("the examples");
    let mut texts: Vec<String> = files
        .map(|file| file.expect("an example").path())
        .filter(|path| path.extension().is_some_and(|e| e == "van"))
        .map(|path| std::fs::read_to_string(path).expect("text"))
        .collect();
    texts.sort();
    assert!(!texts.is_empty());
    texts
}

/// Formats `text`, and checks that only its form has changed.
fn format(text: &str) -> String {
    let file = parse(text, 0).unwrap_or_else(|e| panic!("{text}\n{e:#?}"));
    let printed = print(&file, text);
    let again = parse(&printed, 0).unwrap_or_else(|e| panic!("{printed}\n{e:#?}"));
    let same = shape(&again.items) == shape(&file.items);
    assert!(same, "the tree changed:\n{text}\n→\n{printed}");
    let comments = |file: &File| -> Vec<String> {
        file.comments
            .iter()
            .map(|comment| comment.text.clone())
            .collect()
    };
    assert_eq!(comments(&again), comments(&file), "\n{text}\n→\n{printed}");
    assert_eq!(
        print(&again, &printed),
        printed,
        "not stable:\n{text}\n→\n{printed}"
    );
    printed
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_expression_that_is_printed_is_parsed_to_the_same(tree in expression()) {
        let text = print_expr(&tree);
        let parsed = parse_value(&text, 0).unwrap_or_else(|e| panic!("{text}\n{e:#?}"));
        prop_assert!(shape(&parsed) == shape(&tree), "{}\n{:?}\n{:?}", text, parsed, tree);
    }

    #[test]
    fn a_file_that_is_printed_is_parsed_to_the_same(tree in file()) {
        let text = print(&tree, "");
        let parsed = parse(&text, 0).unwrap_or_else(|e| panic!("{text}\n{e:#?}"));
        prop_assert!(shape(&parsed.items) == shape(&tree.items), "{}", text);
        prop_assert_eq!(print(&parsed, &text), text);
    }

    #[test]
    fn the_form_does_not_depend_on_blanks(
        tree in file(),
        gaps in prop::collection::vec(0usize..8, 1..40),
    ) {
        format(&mangle(&print(&tree, ""), &gaps));
    }

    #[test]
    fn the_form_of_the_examples_does_not_depend_on_blanks(
        which in any::<prop::sample::Index>(),
        gaps in prop::collection::vec(0usize..8, 1..200),
    ) {
        let examples = examples();
        let text = which.get(&examples);
        let plain: Vec<usize> = gaps.iter().map(|gap| [0, 1, 3, 5, 7][gap % 5]).collect();
        format(&mangle(text, &gaps));
        // Without new comments, only blank lines and docs may differ.
        let mangled = mangle(text, &plain);
        let words = |text: &str| pieces(text).concat().split_whitespace().map(String::from).collect::<Vec<_>>();
        prop_assert_eq!(words(&format(&mangled)).len(), words(text).len());
    }
}

#[test]
fn the_examples_are_in_canonical_form() {
    for text in examples() {
        assert_eq!(format(&text), text);
    }
}

#[test]
fn precedence_is_that_of_mathematics() {
    let grouped = |text: &str| {
        fn group(expr: &Expr) -> String {
            if let ExprKind::Unary(op, a) = &expr.kind {
                format!("({}{})", op.symbol(), group(a))
            } else if let ExprKind::Binary(op, a, b) = &expr.kind {
                format!("({} {} {})", group(a), op.symbol(), group(b))
            } else {
                print_expr(expr)
            }
        }
        group(&parse_value(text, 0).unwrap_or_else(|e| panic!("{text}: {e:#?}")))
    };
    assert_eq!(grouped("1 + 2 * 3 ^ 2 ^ k"), "(1 + (2 * (3 ^ (2 ^ k))))");
    assert_eq!(grouped("-a ^ 2 * b"), "((-(a ^ 2)) * b)");
    assert_eq!(grouped("2 ^ -1"), "(2 ^ (-1))");
    assert_eq!(grouped("a - b - c"), "((a - b) - c)");
    assert_eq!(grouped("a / b * c"), "((a / b) * c)");
    assert_eq!(
        grouped("not a == b and c or d"),
        "(((not (a == b)) and c) or d)"
    );
    assert_eq!(grouped("a or b and not c"), "(a or (b and (not c)))");
    assert_eq!(
        grouped("(if c { 1 } else { 2 }) + 1"),
        "(if c { 1 } else { 2 } + 1)"
    );
}

#[test]
fn comments_stay_where_they_are() {
    let text = "\
// About the file.

/// About n.
param n: int = 4 // trailing

// before the model
model m { // after the brace
    // before the input
    input image(3, 8, 8) // after the input
    // last
}
// end
";
    assert_eq!(format(text), text);
    let inside = "model m { input image(3, // three\n 8, 8) relu }";
    assert!(format(inside).contains("    // three\n    input image(3, 8, 8)\n    relu\n"));
}

/// A byte order mark and ends of lines are not part of the text.
#[test]
fn a_mark_at_the_start_is_skipped_and_every_end_of_line_counts() {
    let text = "// first\nmodel m {\n    input image(1, 8, 8) // second\n    relu\n}\n";
    assert_eq!(format(text), text);
    assert_eq!(format(&format!("\u{feff}{text}")), text);
    assert_eq!(format(&text.replace('\n', "\r")), text);
    assert_eq!(format(&text.replace('\n', "\r\n")), text);
    assert_eq!(format(&text.replace("// second\n", "// second\r")), text);
    let later = format!("{text}\u{feff}");
    assert!(parse(&later, 0).is_err());
}
