//! The prelude: activations and skip policies that are declared in the language itself,
//! and the tables of all layers and policies with them.

use super::equation::equation;
use super::word::word;
use crate::diag::{Code, Diagnostic};
use crate::ir::call::{Arguments, Bounds, Kind, Literal, Refusal, Row, Slot};
use crate::ir::expr::Variable;
use crate::ir::{self, Activation, Expr, GateSpec, Op, Policy};
use crate::span::Span;
use crate::syntax::ast::{self, SettingFormal};
use crate::syntax::parse_prelude;
use std::sync::{Arc, LazyLock};

/// The text of the prelude.
const TEXT: &str = include_str!("prelude.van");

/// Declarations of [`TEXT`], parsed on first use.
static DECLARED: LazyLock<Result<ast::Prelude, Vec<Diagnostic>>> =
    LazyLock::new(|| parse_prelude(TEXT));

/// The tables with its rows.
static TABLES: LazyLock<Result<Tables, Vec<Diagnostic>>> = LazyLock::new(Tables::new);

struct Tables {
    layers: Vec<Row<Op>>,
    policies: Vec<Row<Policy>>,
}

/// Returns the table of the layers that are calls, activations of the prelude included.
pub fn layers() -> &'static [Row<Op>] {
    TABLES.as_ref().map_or(&[], |tables| &tables.layers)
}

/// Returns the table of the skip policies, those of the prelude included.
pub fn policies() -> &'static [Row<Policy>] {
    TABLES.as_ref().map_or(&[], |tables| &tables.policies)
}

/// Checks the prelude itself.
///
/// # Errors
/// The mistakes of the prelude, if it has any: faults of the program that its tests find, at
/// no place of the file at hand.
pub(super) fn validate() -> Result<(), Vec<Diagnostic>> {
    let Err(faults) = TABLES.as_ref() else {
        return Ok(());
    };
    let faults = faults.iter().map(|fault| {
        let message = format!("the prelude of this program is broken: {}", fault.message);
        Diagnostic::new(
            fault.code,
            message,
            Span::new(0, 0, 0),
            "not a fault of this file",
        )
        .help("report it, and use another version of the program meanwhile")
    });
    Err(faults.collect())
}

impl Tables {
    fn new() -> Result<Tables, Vec<Diagnostic>> {
        let declared = DECLARED.as_ref().map_err(Vec::clone)?;
        let mut faults = Vec::new();
        let mut layers = Vec::new();
        for activation in &declared.activations {
            match Declared::Activation(activation).slots() {
                Ok(slots) => layers.push(row(&activation.name.node, &activation.doc, slots, layer)),
                Err(fault) => faults.push(fault),
            }
        }
        let mut policies = Vec::new();
        for declared in &declared.policies {
            match Declared::Policy(declared).slots() {
                Ok(slots) => policies.push(row(&declared.name.node, &declared.doc, slots, policy)),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        layers.extend(ir::layers().iter().cloned());
        policies.extend(ir::policies().iter().cloned());
        Ok(Tables { layers, policies })
    }
}

/// Makes a row that lives as long as the program.
fn row<T>(
    name: &'static str,
    doc: &'static Option<String>,
    slots: Vec<Slot<'static>>,
    build: fn(&Arguments) -> Result<T, Refusal>,
) -> Row<T> {
    Row {
        name,
        doc: doc.as_deref().unwrap_or_default(),
        slots: slots.leak(),
        build,
    }
}

/// A declaration of the prelude.
#[derive(Clone, Copy)]
enum Declared<'d> {
    Activation(&'d ast::Activation),
    Policy(&'d ast::Policy),
}

impl<'d> Declared<'d> {
    fn settings(self) -> &'d [SettingFormal] {
        match self {
            Declared::Activation(activation) => &activation.settings,
            Declared::Policy(policy) => &policy.settings,
        }
    }

    /// Makes the slots of its settings, once it is found to be sound.
    fn slots(self) -> Result<Vec<Slot<'d>>, Diagnostic> {
        let slots: Vec<Slot> = self.settings().iter().map(slot).collect::<Result<_, _>>()?;
        let defaults: Vec<f64> = self
            .settings()
            .iter()
            .map(default)
            .collect::<Result<_, _>>()?;
        match self {
            Declared::Activation(declared) => {
                activation(declared, &defaults)?;
            }
            Declared::Policy(declared) => {
                joined(declared, &defaults)?;
            }
        }
        Ok(slots)
    }
}

fn slot(formal: &SettingFormal) -> Result<Slot<'_>, Diagnostic> {
    let fault = |span, message: &str| Diagnostic::new(Code::Type, message, span, "here");
    if formal.kind.node != "float" {
        return Err(fault(
            formal.kind.span,
            "a setting of an equation is a float",
        ));
    }
    let bounds = match &formal.range {
        None => Bounds::Any,
        Some(range) => match (range.lo.as_ref().map(constant).transpose()?, &range.hi) {
            (Some(0.0), None) => Bounds::NotNegative,
            _ => return Err(fault(range.span, "a range of the prelude is `0..`")),
        },
    };
    let doc = formal.doc.as_deref().unwrap_or_default();
    let slot = Slot::new(&formal.name.node, Kind::Float(bounds), doc);
    Ok(slot.or(Literal::Float(default(formal)?)))
}

fn default(formal: &SettingFormal) -> Result<f64, Diagnostic> {
    constant(&formal.default)
}

/// Computes the number that an expression without names is.
fn constant(expr: &ast::Expr) -> Result<f64, Diagnostic> {
    let not_constant = || Diagnostic::new(Code::Type, "not a number", expr.span, "here");
    equation(expr, &|_| None)?.number().ok_or_else(not_constant)
}

/// Returns the value of the setting called `name`.
fn setting(formals: &[SettingFormal], values: &[f64], name: &str) -> Option<Expr> {
    let mut pairs = formals.iter().zip(values);
    let found = pairs.find(|(formal, _)| formal.name.node == name);
    found.map(|(_, value)| Expr::Number(*value))
}

/// Lists the settings that are not at their default.
fn changed<'d>(
    formals: &'d [SettingFormal],
    values: &'d [f64],
) -> impl Iterator<Item = (&'d SettingFormal, f64)> {
    let pairs = formals.iter().zip(values.iter().copied());
    pairs.filter(|(formal, value)| default(formal) != Ok(*value))
}

/// Makes the activation with `values` for its settings.
fn activation(declared: &ast::Activation, values: &[f64]) -> Result<Activation, Diagnostic> {
    let formals = &declared.settings;
    let names = |name: &str| match name == declared.element.node {
        true => Some(Expr::Variable(Variable::Element)),
        false => setting(formals, values, name),
    };
    Ok(Activation {
        name: declared.name.node.as_str().into(),
        settings: changed(formals, values)
            .map(|(formal, value)| (formal.name.node.as_str().into(), value))
            .collect(),
        equation: Arc::new(equation(&declared.equation, &names)?),
    })
}

/// Makes the policy with `values` for its settings.
fn joined(declared: &ast::Policy, values: &[f64]) -> Result<Policy, Diagnostic> {
    let formals = &declared.settings;
    let set = |name: &str| setting(formals, values, name);
    let mut gates = Vec::new();
    for gate in &declared.gates {
        let bias = equation(&gate.bias, &set)?.number();
        gates.push(GateSpec {
            name: gate.name.node.as_str().into(),
            bias: bias.ok_or_else(|| {
                Diagnostic::new(Code::Type, "a bias is a number", gate.bias.span, "here")
            })?,
        });
    }
    let names = |name: &str| {
        let gate = declared.gates.iter().position(|g| g.name.node == name);
        let variable = match (name, gate) {
            (_, Some(gate)) => Variable::Gate(gate),
            ("f", None) => Variable::Body,
            ("s", None) => Variable::Shortcut,
            (_, None) => return set(name),
        };
        Some(Expr::Variable(variable))
    };
    let changed: Vec<(&SettingFormal, f64)> = changed(formals, values).collect();
    let is_shown = |formal: &SettingFormal| {
        let name = &formal.name.node;
        let starts_gate = |gate: &ast::Gate| word(&gate.bias) == Some(name);
        changed
            .iter()
            .any(|(changed, _)| changed.name == formal.name)
            || declared.gates.iter().any(starts_gate)
    };
    let pairs = formals.iter().zip(values);
    let shown = pairs.filter(|(formal, _)| is_shown(formal));
    Ok(Policy {
        words: shown
            .map(|(formal, value)| format!("{} {value}", formal.name.node))
            .collect(),
        settings: changed
            .iter()
            .map(|(formal, value)| (formal.name.node.as_str().into(), format!("{value:?}")))
            .collect(),
        gates,
        ..Policy::new(&declared.name.node, equation(&declared.out, &names)?)
    })
}

/// Reads the values of `formals` in a call.
fn values(formals: &[SettingFormal], arguments: &Arguments) -> Result<Vec<f64>, Refusal> {
    let values = formals
        .iter()
        .map(|formal| arguments.get(&formal.name.node));
    values.collect()
}

/// Builds the activation that a call names.
fn layer(arguments: &Arguments) -> Result<Op, Refusal> {
    let prelude = DECLARED.as_ref().map_err(|_| Refusal::Unsound)?;
    let mut declared = prelude.activations.iter();
    let declared = declared.find(|declared| declared.name.node == arguments.name);
    let declared = declared.ok_or(Refusal::Unsound)?;
    let values = values(&declared.settings, arguments)?;
    let activation = activation(declared, &values).map_err(|_| Refusal::Unsound)?;
    Ok(Op::Activation(activation))
}

/// Builds the policy that a call names.
fn policy(arguments: &Arguments) -> Result<Policy, Refusal> {
    let prelude = DECLARED.as_ref().map_err(|_| Refusal::Unsound)?;
    let mut declared = prelude.policies.iter();
    let declared = declared.find(|declared| declared.name.node == arguments.name);
    let declared = declared.ok_or(Refusal::Unsound)?;
    let values = values(&declared.settings, arguments)?;
    joined(declared, &values).map_err(|_| Refusal::Unsound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::expr::KnownActivation;

    /// Makes the activation of a row, with its settings at their defaults.
    fn built(name: &str) -> Activation {
        let row = layers().iter().find(|row| row.name == name).unwrap();
        let arguments = Arguments::examples(row.name, row.slots);
        match (row.build)(&arguments) {
            Ok(Op::Activation(activation)) => activation,
            other => panic!("no activation: {other:?}"),
        }
    }

    #[test]
    fn the_prelude_is_sound() {
        assert_eq!(validate(), Ok(()));
        for row in layers() {
            assert!(!row.doc.is_empty(), "`{}` has no doc", row.name);
        }
        for row in policies() {
            assert!(!row.doc.is_empty(), "`{}` has no doc", row.name);
        }
    }

    #[test]
    fn activations_are_what_their_names_say() {
        type Function = fn(f64) -> f64;
        let wanted: [(&str, Function, KnownActivation); 5] = [
            ("relu", |x| x.max(0.0), KnownActivation::Relu),
            (
                "elu",
                |x| if x > 0.0 { x } else { x.exp() - 1.0 },
                KnownActivation::Elu(1.0),
            ),
            (
                "leaky_relu",
                |x| if x > 0.0 { x } else { 0.01 * x },
                KnownActivation::LeakyRelu(0.01),
            ),
            ("tanh", f64::tanh, KnownActivation::Tanh),
            (
                "sigmoid",
                |x| 1.0 / (1.0 + (-x).exp()),
                KnownActivation::Sigmoid,
            ),
        ];
        for (name, function, known) in wanted {
            let equation = built(name).equation;
            for x in [-2.5, -0.5, 0.0, 0.5, 2.5] {
                let found: f64 = equation.value(&|_| x);
                assert!((found - function(x)).abs() < 1e-12, "{name} of {x}");
            }
            assert_eq!(KnownActivation::recognise(&equation), Some(known));
        }
    }

    #[test]
    fn policies_are_what_the_paper_says() {
        let (f, s, v) = (1.5, -0.5, 0.3);
        let sigmoid = 1.0 / (1.0 + f64::exp(-v));
        let wanted = [
            ("plain", f),
            ("resnet", f + s),
            ("highway", sigmoid * f + (1.0 - sigmoid) * s),
            ("dirac", f),
            ("variable", f + (1.0 - v) * s),
        ];
        for (name, wanted) in wanted {
            let row = policies().iter().find(|row| row.name == name).unwrap();
            let policy = (row.build)(&Arguments::examples(row.name, row.slots)).unwrap();
            let found: f64 = policy.out.value(&|variable| match variable {
                Variable::Body => f,
                Variable::Shortcut => s,
                Variable::Gate(_) | Variable::Trained(_) | Variable::Element => v,
            });
            assert!((found - wanted).abs() < 1e-12, "{name}: {found}, {wanted}");
            assert_eq!(policy.to_string(), name);
        }
    }
}
