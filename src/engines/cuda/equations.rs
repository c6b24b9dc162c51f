//! The equations of a pass as the C++ structure that its kernels are compiled with.

use super::convert;
use super::pass::Granularity;
use super::print::Statements;
use crate::ir::expr::{Expr, JoinForm, Program, Unary, Variable};
use crate::plan::{Activation, Id, Join, Plan, Pointwise};
use std::sync::Arc;

/// The equations that a pass computes of the elements of one place, besides batch norm.
/// Passes with equal ones run the same kernels.
#[derive(Clone, Debug, PartialEq)]
pub struct Equations {
    /// The activation of z, if there is one.
    pub activation: Option<Curve>,
    /// How f and s become y, if they do.
    pub join: Option<JoinEquations>,
}

/// A function of one element and its derivative.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// f(x).
    pub value: Arc<Expr>,
    /// f′(x).
    pub slope: Arc<Expr>,
}

/// The equation of a join.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinEquations {
    /// y.
    pub out: Arc<Expr>,
    /// The form of `out`.
    pub form: JoinForm,
    /// Gates that a pass reads.
    pub gates: usize,
    /// Trained coefficients that a pass reads.
    pub trained: usize,
    /// Whether a sum over rows has one value of every trained coefficient: all of them
    /// change from position to position, or none does.
    pub is_uniform: bool,
}

/// The structures `Equations0`, `Equations1`, … of the elements of `all`, and
/// `with_equations`, which calls a function with the one of a number.
pub fn print_all(all: &[Equations]) -> String {
    let each = all.iter().enumerate();
    let structures = each
        .clone()
        .map(|(k, equations)| equations.print(&format!("Equations{k}")));
    let cases = each.map(|(k, _)| format!("        case {k}: return work(Equations{k}());\n"));
    format!(
        "{}template <class Work>\n\
         __device__ inline void with_equations(int number, Work work) {{\n    \
         switch (number) {{\n{}        default: __trap();\n    }}\n}}\n",
        structures.collect::<String>(),
        cases.collect::<String>()
    )
}

/// δ = ∂C/∂y, in equations of gradients: a join does not use the name.
const DELTA: Variable = Variable::Element;

/// Operands of a join's functions in C.
const OPERANDS: &str = "float f, float s, const float* g, const float* v";

impl Equations {
    /// The equations of the pass `p`.
    pub fn of_pass(plan: &Plan, p: &Pointwise) -> Equations {
        Equations::new(plan, p.activation, p.join, p.x)
    }

    /// The equations of an activation and of a join of arrays in the shape of `x`.
    pub fn new(plan: &Plan, activation: Option<Activation>, join: Option<Join>, x: Id) -> Self {
        let is_unit = |&id: &Id| Granularity::new(plan, x, id) == Granularity::Unit;
        let join = join.map(convert::join).map(|join| JoinEquations {
            out: join.out,
            form: join.form,
            gates: join.gates.len(),
            trained: join.trained.len(),
            is_uniform: join.trained.iter().all(is_unit) || !join.trained.iter().any(is_unit),
        });
        Equations {
            activation: activation.map(convert::activation),
            join,
        }
    }

    /// Trained coefficients.
    pub fn trained(&self) -> usize {
        self.join.as_ref().map_or(0, |join| join.trained)
    }

    /// Gates.
    pub fn gates(&self) -> usize {
        self.join.as_ref().map_or(0, |join| join.gates)
    }

    /// Sums over rows from which the gradients of the trained coefficients follow.
    pub fn sums(&self) -> usize {
        self.join.as_ref().map_or(0, |join| join.summands().len())
    }

    /// The structure `name`, whose members kernels/pass.cuh describes.
    pub fn print(&self, name: &str) -> String {
        let x = || Expr::Variable(Variable::Element);
        let (value, slope) = match &self.activation {
            Some(curve) => (Expr::clone(&curve.value), Expr::clone(&curve.slope)),
            None => (x(), Expr::Number(1.0)),
        };
        let gradients = Gradients::new(self.join.as_ref());
        let join = match &self.join {
            Some(join) => join.print(),
            None => "        return f;\n".into(),
        };
        let (uses_shortcut, uses_body) = match &self.join {
            Some(join) => (join.out.uses(Variable::Shortcut), gradients.use_body()),
            None => (false, false),
        };
        let counts = format!(
            "    enum {{ SHORTCUT = {}, BODY = {}, GATES = {}, TRAINED = {}, SUMS = {} }};\n",
            u8::from(uses_shortcut),
            u8::from(uses_body),
            self.gates(),
            self.trained(),
            self.sums()
        );
        let with_delta = format!("float d, {OPERANDS}");
        let with_target = |operands: &str| format!("{operands}, float* to");
        let members = [
            member("float", "activation", "float x", &result(&value, "x")),
            member("float", "slope", "float x", &result(&slope, "x")),
            member("float", "join", OPERANDS, &join),
            member(
                "float",
                "body_gradient",
                &with_delta,
                &result(&gradients.body, "d"),
            ),
            member(
                "float",
                "shortcut_gradient",
                &with_delta,
                &result(&gradients.shortcut, "d"),
            ),
            member(
                "void",
                "gate_gradients",
                &with_target(&with_delta),
                &results(&gradients.gates, operand),
            ),
            member(
                "void",
                "summands",
                &with_target(OPERANDS),
                &results(&gradients.summands, operand),
            ),
            member(
                "void",
                "trained_gradients",
                &with_target("const float* sums, const float* v"),
                &gradients.of_trained(),
            ),
        ];
        format!("struct {name} {{\n{counts}{}}};\n", members.concat())
    }
}

impl JoinEquations {
    /// The factors of f and s, where y is a·f + b·s.
    fn factors(&self) -> Option<[Expr; 2]> {
        match &self.form {
            JoinForm::Affine { body, skip } => Some([body.clone(), skip.clone()]),
            JoinForm::SigmoidGate { gate } => {
                let share = Expr::Variable(Variable::Gate(*gate)).apply(Unary::Sigmoid);
                Some([share.clone(), Expr::Number(1.0) - share])
            }
            JoinForm::General => None,
        }
    }

    fn print(&self) -> String {
        match self.factors() {
            Some(factors) => {
                let statements = Statements::new(&Program::new(&factors), INDENT, operand);
                let [a, b] = [0, 1].map(|k| &statements.outputs[k]);
                format!("{}{INDENT}return weigh({a}, f, {b}, s);\n", statements.text)
            }
            None => result(&self.out, "x"),
        }
    }

    /// The derivative of y by a coefficient.
    fn by_trained(&self, k: usize) -> Expr {
        self.out.derivative(Variable::Trained(k))
    }

    /// What is summed over rows, times δ, for the gradients of the trained coefficients.
    /// Where those are linear in f and s with factors that all rows of a sum share, the
    /// sums are of f and of s; else there is one a coefficient.
    fn summands(&self) -> Vec<Expr> {
        match self.sums_operands() {
            _ if self.trained == 0 => Vec::new(),
            true => [Variable::Body, Variable::Shortcut]
                .map(Expr::Variable)
                .into(),
            false => (0..self.trained).map(|k| self.by_trained(k)).collect(),
        }
    }

    fn sums_operands(&self) -> bool {
        match self.form {
            JoinForm::Affine { .. } => self.is_uniform,
            JoinForm::SigmoidGate { .. } | JoinForm::General => false,
        }
    }
}

/// Equations of a join's gradients; [`DELTA`] stands for δ.
struct Gradients<'a> {
    join: Option<&'a JoinEquations>,
    /// ∂C/∂f.
    body: Expr,
    /// ∂C/∂s.
    shortcut: Expr,
    /// ∂C/∂g of each gate.
    gates: Vec<Expr>,
    /// Without the factor δ.
    summands: Vec<Expr>,
}

impl<'a> Gradients<'a> {
    fn new(join: Option<&'a JoinEquations>) -> Self {
        let delta = || Expr::Variable(DELTA);
        let Some(equations) = join else {
            return Gradients {
                join,
                body: delta(),
                shortcut: Expr::Number(0.0),
                gates: Vec::new(),
                summands: Vec::new(),
            };
        };
        let by = |variable| delta() * equations.out.derivative(variable);
        let [body, shortcut] = match equations.factors() {
            Some(factors) => factors.map(|factor| delta() * factor),
            None => [by(Variable::Body), by(Variable::Shortcut)],
        };
        let gates = match (&equations.form, equations.factors()) {
            // δ·(f − s)·T·(1 − T), which is exact where f is close to s.
            (JoinForm::SigmoidGate { gate: own }, Some([share, rest])) => {
                let [f, s] = [Variable::Body, Variable::Shortcut].map(Expr::Variable);
                let gradient = delta() * (f - s) * share * rest;
                let of_gate = |gate| match gate == *own {
                    true => gradient.clone(),
                    false => Expr::Number(0.0),
                };
                (0..equations.gates).map(of_gate).collect()
            }
            _ => (0..equations.gates)
                .map(|k| by(Variable::Gate(k)))
                .collect(),
        };
        Gradients {
            join,
            body,
            shortcut,
            gates,
            summands: equations.summands(),
        }
    }

    /// Whether a gradient besides that of a gate depends on f.
    fn use_body(&self) -> bool {
        let trained = self.join.map_or(0, |join| join.trained);
        let by_trained = |k| {
            self.join
                .is_some_and(|join| join.by_trained(k).uses(Variable::Body))
        };
        let direct = [&self.body, &self.shortcut];
        direct.iter().any(|gradient| gradient.uses(Variable::Body)) || (0..trained).any(by_trained)
    }

    /// Statements that make the gradients of the trained coefficients of the sums.
    fn of_trained(&self) -> String {
        let Some(join) = self.join else {
            return String::new();
        };
        if join.sums_operands() {
            // They are linear in f and s, so that sums may stand for these.
            let by_trained: Vec<Expr> = (0..join.trained).map(|k| join.by_trained(k)).collect();
            return results(&by_trained, |variable| match variable {
                Variable::Body => "sums[0]".into(),
                Variable::Shortcut => "sums[1]".into(),
                Variable::Element | Variable::Gate(_) | Variable::Trained(_) => operand(variable),
            });
        }
        let copies = (0..join.trained).map(|k| format!("{INDENT}to[{k}] = sums[{k}];\n"));
        copies.collect()
    }
}

const INDENT: &str = "        ";

/// A variable of a join's functions.
fn operand(variable: Variable) -> String {
    named(variable, "d")
}

fn named(variable: Variable, element: &str) -> String {
    match variable {
        Variable::Element => element.into(),
        Variable::Body => "f".into(),
        Variable::Shortcut => "s".into(),
        Variable::Gate(k) => format!("g[{k}]"),
        Variable::Trained(k) => format!("v[{k}]"),
    }
}

fn member(kind: &str, name: &str, parameters: &str, body: &str) -> String {
    format!("    static __device__ inline {kind} {name}({parameters}) {{\n{body}    }}\n")
}

/// The body of a function that returns an equation's value.
fn result(expr: &Expr, element: &str) -> String {
    let statements = Statements::new(&Program::new([expr]), INDENT, |variable| {
        named(variable, element)
    });
    format!(
        "{}{INDENT}return {};\n",
        statements.text, statements.outputs[0]
    )
}

/// The body of a function that writes the values of equations to an array.
fn results(equations: &[Expr], name: impl Fn(Variable) -> String) -> String {
    let statements = Statements::new(&Program::new(equations), INDENT, name);
    let outputs = statements.outputs.iter().enumerate();
    let stores = outputs.map(|(k, output)| format!("{INDENT}to[{k}] = {output};\n"));
    statements.text + &stores.collect::<String>()
}

#[cfg(test)]
pub mod tests;
