//! Programs of equations as C statements, for NVRTC.

use crate::ir::expr::{Binary, Compare, Node, Program, Unary, Variable};

/// Statements that compute a program, one an operation, and the names of its results.
pub struct Statements {
    /// Declarations of `t0`, `t1`, …, indented by `indent`.
    pub text: String,
    /// Expressions without side effects, a name or a number for each equation.
    pub outputs: Vec<String>,
}

impl Statements {
    /// Prints the statements of `program`, in f32; `name` says what a variable is called.
    pub fn new(program: &Program, indent: &str, name: impl Fn(Variable) -> String) -> Self {
        let mut text = String::new();
        let mut values: Vec<String> = Vec::with_capacity(program.nodes.len());
        let mut temporaries = 0;
        for node in &program.nodes {
            let computed = match *node {
                Node::Number(bits) => {
                    values.push(number(f64::from_bits(bits)));
                    continue;
                }
                Node::Input(variable) => {
                    values.push(name(variable));
                    continue;
                }
                Node::Unary(function, x) => unary(function, &values[x]),
                Node::Binary(operation, a, b) => binary(operation, &values[a], &values[b]),
                Node::Select {
                    compare,
                    left,
                    right,
                    then,
                    otherwise,
                } => format!(
                    "{} {} {} ? {} : {}",
                    values[left],
                    sign(compare),
                    values[right],
                    values[then],
                    values[otherwise]
                ),
            };
            text.push_str(&format!("{indent}float t{temporaries} = {computed};\n"));
            values.push(format!("t{temporaries}"));
            temporaries += 1;
        }
        let outputs = program.outputs.iter().map(|&at| values[at].clone());
        Statements {
            text,
            outputs: outputs.collect(),
        }
    }
}

/// Prints the f32 nearest to `x` as a literal that every compiler reads back as the same
/// bits: the decimal digits of the f32's value as an f64 are so close to it that rounding
/// them to an f64 first does no harm.
pub fn number(x: f64) -> String {
    let x = x as f32;
    match x.is_finite() {
        true if x.is_sign_negative() => format!("({:?}f)", f64::from(x)),
        true => format!("{:?}f", f64::from(x)),
        false => format!("__uint_as_float({:#010x}u)", x.to_bits()),
    }
}

/// Prints a function of `x`. NaN stays NaN in each of them, as in
/// [`crate::ir::expr::Expr::value`]. `sigmoid` and `softplus` are in kernels/pass.cuh.
fn unary(function: Unary, x: &str) -> String {
    let name = match function {
        Unary::Neg => return format!("-{x}"),
        Unary::Abs => "fabsf",
        Unary::Exp => "expf",
        Unary::ExpM1 => "expm1f",
        Unary::Ln => "logf",
        Unary::Sqrt => "sqrtf",
        Unary::Tanh => "tanhf",
        Unary::Sigmoid => "sigmoid",
        Unary::Softplus => "softplus",
        Unary::Erf => "erff",
        Unary::Sin => "sinf",
        Unary::Cos => "cosf",
    };
    format!("{name}({x})")
}

fn binary(operation: Binary, a: &str, b: &str) -> String {
    match operation {
        Binary::Add => format!("{a} + {b}"),
        Binary::Sub => format!("{a} - {b}"),
        Binary::Mul => format!("{a} * {b}"),
        Binary::Div => format!("{a} / {b}"),
        // Not fminf and fmaxf, which drop a NaN.
        Binary::Min => format!("{a} > {b} ? {b} : {a}"),
        Binary::Max => format!("{a} < {b} ? {b} : {a}"),
        Binary::Pow => format!("powf({a}, {b})"),
    }
}

fn sign(compare: Compare) -> &'static str {
    match compare {
        Compare::Less => "<",
        Compare::LessEqual => "<=",
        Compare::Greater => ">",
        Compare::GreaterEqual => ">=",
        Compare::Equal => "==",
        Compare::NotEqual => "!=",
    }
}
