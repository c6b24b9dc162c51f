//! Equations of a pass as the C++ structure that its kernels are compiled with.

use super::pass::Granularity;
use super::print::Statements;
use crate::ir::expr::{Expr, JoinForm, Program, Unary, Variable};
use crate::plan::{Activation, Id, Join, Plan, Pointwise};
use std::sync::Arc;

/// Equations that a pass computes of the elements of one place, besides batch norm.
/// Passes with equal ones run the same kernels.
#[derive(Clone, Debug, PartialEq)]
pub struct Equations {
    /// Activation f of z.
    pub activation: Curve,
    /// Join y of f, s, gates and trained coefficients.
    pub join: JoinEquation,
}

/// Function of one element and its derivative.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// f(x).
    pub value: Arc<Expr>,
    /// f′(x).
    pub slope: Arc<Expr>,
}

/// Equation of a join.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinEquation {
    /// Value y.
    pub out: Arc<Expr>,
    /// Form of `out`.
    pub form: JoinForm,
    /// Gates that a pass reads.
    pub gates: usize,
    /// Trained coefficients that a pass reads.
    pub trained: usize,
    /// Whether a sum over rows has one value of every trained coefficient: all of them
    /// change from position to position, or none does.
    pub is_uniform: bool,
}

/// Prints the structures `Equations0`, `Equations1`, … of the elements of `all`, and
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

impl Equations {
    /// Returns the equations of the pass `p`.
    pub fn of_pass(plan: &Plan, p: &Pointwise) -> Equations {
        Equations::new(plan, p.activation.as_ref(), p.join.as_ref(), p.x)
    }

    /// Makes the equations of an activation and of a join of arrays in the shape of `x`.
    pub fn new(plan: &Plan, activation: Option<&Activation>, join: Option<&Join>, x: Id) -> Self {
        let is_unit = |&id: &Id| Granularity::new(plan, x, id) == Granularity::Unit;
        let join = join.map(|join| JoinEquation {
            out: join.out.clone(),
            form: join.form.clone(),
            gates: join.gates.len(),
            trained: join.trained.len(),
            is_uniform: join.trained.iter().all(is_unit) || !join.trained.iter().any(is_unit),
        });
        Equations {
            activation: activation.map_or_else(Curve::identity, Curve::new),
            join: join.unwrap_or_else(JoinEquation::none),
        }
    }

    /// Prints the structure `name`, whose members kernels/pass.cuh describes.
    pub fn print(&self, name: &str) -> String {
        let Equations { activation, join } = self;
        let counts = format!(
            "enum {{ SHORTCUT = {}, BODY = {}, GATES = {}, TRAINED = {}, SUMS = {} }};",
            u8::from(join.out.uses(Variable::Shortcut)),
            u8::from(join.gradients_use_body()),
            join.gates,
            join.trained,
            join.sums()
        );
        let operands = "float f, float s, const float* g, const float* v";
        let gradient = |variable| result(&join.gradient(variable), "d");
        let gates: Vec<Expr> = (0..join.gates)
            .map(|k| join.gradient(Variable::Gate(k)))
            .collect();
        let members = [
            (
                "float activation",
                "float x",
                result(&activation.value, "x"),
            ),
            ("float slope", "float x", result(&activation.slope, "x")),
            ("float join", operands, join.print()),
            (
                "float body_gradient",
                &format!("float d, {operands}"),
                gradient(Variable::Body),
            ),
            (
                "float shortcut_gradient",
                &format!("float d, {operands}"),
                gradient(Variable::Shortcut),
            ),
            (
                "void gate_gradients",
                &format!("float d, {operands}, float* to"),
                results(&gates, |variable| name_of(variable, "d")),
            ),
            (
                "void summands",
                &format!("{operands}, float* to"),
                results(&join.summands(), |variable| name_of(variable, "d")),
            ),
            (
                "void trained_gradients",
                "const float* sums, const float* v, float* to",
                join.print_trained(),
            ),
        ];
        let members = members.map(|(function, parameters, body)| {
            format!("    static __device__ inline {function}({parameters}) {{\n{body}    }}\n")
        });
        format!("struct {name} {{\n    {counts}\n{}}};\n", members.concat())
    }
}

impl Curve {
    fn new(activation: &Activation) -> Curve {
        Curve {
            value: activation.equation.clone(),
            slope: activation.slope.clone(),
        }
    }

    /// Makes the identity f(x) = x.
    fn identity() -> Curve {
        Curve {
            value: Arc::new(Expr::Variable(Variable::Element)),
            slope: Arc::new(Expr::Number(1.0)),
        }
    }
}

/// Variable of δ = ∂C/∂y, in equations of gradients: a join does not use the name.
const DELTA: Variable = Variable::Element;

impl JoinEquation {
    /// Makes the join y = f.
    fn none() -> JoinEquation {
        JoinEquation {
            out: Arc::new(Expr::Variable(Variable::Body)),
            form: JoinForm::General,
            gates: 0,
            trained: 0,
            is_uniform: true,
        }
    }

    /// Returns the factors of f and s, where y is a·f + b·s.
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
        let Some(factors) = self.factors() else {
            return result(&self.out, "d");
        };
        let program = Program::new(&factors);
        let statements = Statements::new(&program, INDENT, |variable| name_of(variable, "d"));
        let [a, b] = [0, 1].map(|k| &statements.outputs[k]);
        format!("{}{INDENT}return weigh({a}, f, {b}, s);\n", statements.text)
    }

    /// Derives ∂C/∂`variable` of f, s or a gate.
    fn gradient(&self, variable: Variable) -> Expr {
        let delta = Expr::Variable(DELTA);
        match (variable, &self.form, self.factors()) {
            (Variable::Body, _, Some([body, _])) => delta * body,
            (Variable::Shortcut, _, Some([_, skip])) => delta * skip,
            // The difference is exact where f is close to s.
            (Variable::Gate(k), JoinForm::SigmoidGate { gate }, Some([share, rest]))
                if k == *gate =>
            {
                let [f, s] = [Variable::Body, Variable::Shortcut].map(Expr::Variable);
                delta * (f - s) * share * rest
            }
            _ => delta * self.out.derivative(variable),
        }
    }

    /// Derives y by each trained coefficient.
    fn by_trained(&self) -> Vec<Expr> {
        let each = 0..self.trained;
        each.map(|k| self.out.derivative(Variable::Trained(k)))
            .collect()
    }

    /// Tells whether a gradient besides that of a gate depends on f.
    fn gradients_use_body(&self) -> bool {
        let direct = [Variable::Body, Variable::Shortcut].map(|variable| self.gradient(variable));
        let mut all = direct.into_iter().chain(self.by_trained());
        all.any(|gradient| gradient.uses(Variable::Body))
    }

    /// Counts the sums over rows from which the gradients of the trained coefficients follow.
    pub fn sums(&self) -> usize {
        self.summands().len()
    }

    /// Lists the summands of [`Self::sums`], but for the factor δ. Where y is linear in f
    /// and s with factors that all rows of a sum share, the sums are of f and of s; else
    /// there is one a coefficient.
    fn summands(&self) -> Vec<Expr> {
        match self.adds_operands_up() {
            true => [Variable::Body, Variable::Shortcut]
                .map(Expr::Variable)
                .into(),
            false => self.by_trained(),
        }
    }

    fn adds_operands_up(&self) -> bool {
        match self.form {
            JoinForm::Affine { .. } => self.is_uniform && self.trained > 0,
            JoinForm::SigmoidGate { .. } | JoinForm::General => false,
        }
    }

    /// Prints the statements that make the gradients of the trained coefficients of the sums.
    fn print_trained(&self) -> String {
        if !self.adds_operands_up() {
            let copies = (0..self.trained).map(|k| format!("{INDENT}to[{k}] = sums[{k}];\n"));
            return copies.collect();
        }
        // The derivatives are linear in f and s, so that sums may stand for these.
        results(&self.by_trained(), |variable| match variable {
            Variable::Body => "sums[0]".into(),
            Variable::Shortcut => "sums[1]".into(),
            Variable::Element | Variable::Gate(_) | Variable::Trained(_) => name_of(variable, "d"),
        })
    }
}

const INDENT: &str = "        ";

/// Names a variable in C; `element` is the name of x, or of δ.
fn name_of(variable: Variable, element: &str) -> String {
    match variable {
        Variable::Element => element.into(),
        Variable::Body => "f".into(),
        Variable::Shortcut => "s".into(),
        Variable::Gate(k) => format!("g[{k}]"),
        Variable::Trained(k) => format!("v[{k}]"),
    }
}

/// Prints the body of a function that returns an equation's value.
fn result(expr: &Expr, element: &str) -> String {
    let program = Program::new([expr]);
    let statements = Statements::new(&program, INDENT, |variable| name_of(variable, element));
    format!(
        "{}{INDENT}return {};\n",
        statements.text, statements.outputs[0]
    )
}

/// Prints the body of a function that writes the values of equations to an array.
fn results(equations: &[Expr], name: impl Fn(Variable) -> String) -> String {
    let statements = Statements::new(&Program::new(equations), INDENT, name);
    let outputs = statements.outputs.iter().enumerate();
    let stores = outputs.map(|(k, output)| format!("{INDENT}to[{k}] = {output};\n"));
    statements.text + &stores.collect::<String>()
}

#[cfg(test)]
pub mod tests;
