//! Skip policies: how a skip joins F(x) and s(x), before the network around is known.

use crate::ir::call::{
    Arguments, Bounds, Conflict, ConflictKind, Kind, Literal, Refusal, Row, Slot, words,
};
use crate::ir::expr::{Expr, JoinForm, Variable};
use crate::ir::role::Held;
use crate::ir::train::Granularity;
use std::fmt;
use std::sync::Arc;

/// Skip policy: how a skip joins F(x) and s(x), with its settings. Equation numbers are those of
/// the paper, "Avoiding degradation in deep feed-forward networks by phasing out
/// skip-connections".
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Name in a `.van` file.
    pub name: Arc<str>,
    /// Settings that are not at their default, as they are written.
    pub settings: Vec<(Arc<str>, String)>,
    /// The settings worth showing, in a few words each.
    pub words: Vec<String>,
    /// The output, of [`Variable::Body`], [`Variable::Shortcut`], the gates and the
    /// coefficients.
    pub out: Arc<Expr>,
    /// Gates, in the order of [`Variable::Gate`].
    pub gates: Vec<GateSpec>,
    /// Coefficients, in the order of [`Variable::Trained`].
    pub trained: Vec<Coefficient>,
    /// Whether every convolution and linear layer in F has a Dirac weight.
    pub dirac_weights: bool,
}

/// A layer of x with as many outputs as F(x) has channels.
#[derive(Clone, Debug, PartialEq)]
pub struct GateSpec {
    /// Name below the skip's path: `gate` of `gate.weight`.
    pub name: Arc<str>,
    /// Bias before training.
    pub bias: f64,
}

/// A trained coefficient.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficient {
    /// Name below the skip's path.
    pub name: Arc<str>,
    /// Part of F(x) that one element covers; none is the `alpha_granularity` of the training's
    /// constraint.
    pub granularity: Option<Granularity>,
    /// The rule that moves it.
    pub mover: Mover,
}

/// Rule that moves a trained coefficient.
#[derive(Clone, Debug, PartialEq)]
pub enum Mover {
    /// The constraint, by a multiplier.
    Constraint {
        /// Name of the multiplier λ below the skip's path.
        multiplier: Arc<str>,
        /// Where the coefficient starts, stays and goes.
        held: Held,
    },
    /// The optimizer, without weight decay.
    Optimizer {
        /// Value before training.
        start: f64,
        /// Least and greatest value, either perhaps infinite.
        range: [f64; 2],
    },
}

impl Coefficient {
    /// Makes the α of a variable skip, under the training's constraint; without `enforced` its
    /// multiplier is held at 0 (the paper's "VAN (λ = 0)").
    pub fn alpha(enforced: bool) -> Coefficient {
        Coefficient {
            name: "alpha".into(),
            granularity: None,
            mover: Mover::Constraint {
                multiplier: "lambda".into(),
                held: Held {
                    enforced,
                    ..Held::ALPHA
                },
            },
        }
    }
}

impl Policy {
    /// Makes the policy `name` without settings, gates and coefficients, whose output is `out`.
    pub fn new(name: &str, out: Expr) -> Policy {
        Policy {
            name: name.into(),
            settings: Vec::new(),
            words: Vec::new(),
            out: Arc::new(out),
            gates: Vec::new(),
            trained: Vec::new(),
            dirac_weights: false,
        }
    }

    /// Whether s(x) is part of the output.
    pub fn has_shortcut(&self) -> bool {
        self.out.uses(Variable::Shortcut)
    }

    /// Writes the shortcut with its factor, if it is part of the output.
    pub(super) fn by_pass(&self) -> Option<String> {
        if !self.has_shortcut() {
            return None;
        }
        let symbol = |variable| match variable {
            Variable::Trained(_) => "α".to_string(),
            Variable::Gate(_) => "T".to_string(),
            Variable::Element | Variable::Body | Variable::Shortcut => "x".to_string(),
        };
        Some(match JoinForm::recognise(&self.out) {
            JoinForm::Affine { skip, .. } if skip.number().is_none() => {
                let factor = skip.equation(symbol).to_string().replace('-', "−");
                format!("({factor})·s(x)")
            }
            JoinForm::SigmoidGate { .. } => "(1 − T)·s(x)".to_string(),
            JoinForm::Affine { .. } | JoinForm::General => "s(x)".to_string(),
        })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let mut settings = self.settings.iter();
        if let Some((name, value)) = settings.next() {
            write!(f, "({name}: {value}")?;
            for (name, value) in settings {
                write!(f, ", {name}: {value}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// Lists the policies that are more than an equation: their weights are special, or the settings
/// of the training belong to them.
pub fn policies() -> &'static [Row<Policy>] {
    const POLICIES: &[Row<Policy>] = &[DIRAC, VARIABLE];
    POLICIES
}

/// The two ways to weigh a skip by α.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// `F(x) + (1 − α)·s(x)`: eq. (4).
    Additive,
    /// `α·F(x) + (1 − α)·s(x)`: eq. (9).
    Convex,
}

impl Form {
    /// The words for it, the default first.
    const WORDS: [(&'static str, Form); 2] =
        [("additive", Form::Additive), ("convex", Form::Convex)];
    const NAMES: [&'static str; 2] = words(&Self::WORDS);

    fn out(self) -> Expr {
        let (f, s) = (Expr::from(Variable::Body), Expr::from(Variable::Shortcut));
        let alpha = || Expr::from(Variable::Trained(0));
        match self {
            Form::Additive => f + (Expr::from(1.0) - alpha()) * s,
            Form::Convex => s.clone() + alpha() * (f - s),
        }
    }
}

const DIRAC: Row<Policy> = Row {
    name: "dirac",
    doc: "F(x) with a Dirac weight in every convolution and linear layer",
    slots: &[],
    build: |arguments| {
        Ok(Policy {
            dirac_weights: true,
            ..Policy::new(arguments.name, Variable::Body.into())
        })
    },
};

const VARIABLE: Row<Policy> = Row {
    name: "variable",
    doc: "F(x) + (1 − α)·s(x), α trained under the constraint α = 1",
    slots: &[
        Slot::new(
            "lambda",
            Kind::Float(Bounds::Any),
            "0 holds λ at 0, so that α is trained freely",
        ),
        Slot::new(
            "form",
            Kind::Word(&Form::NAMES),
            "`convex` is α·F(x) + (1 − α)·s(x)",
        )
        .or(Literal::Word(Form::NAMES[0])),
    ],
    build: variable,
};

fn variable(arguments: &Arguments) -> Result<Policy, Refusal> {
    let enforced = !arguments.is_given("lambda");
    if !enforced {
        let lambda: f64 = arguments.get("lambda")?;
        if lambda != 0.0 {
            return Err(Conflict {
                kind: ConflictKind::Value,
                message: format!("a policy can hold λ at 0, not at {lambda}"),
                slot: "lambda",
                label: format!("this is {lambda}"),
                other: None,
                help: "write `variable(lambda: 0)`; where λ starts is a setting of the training: \
                       `constraint: lagrange(lambda: -1)`"
                    .to_string(),
            }
            .into());
        }
    }
    let form = arguments.choice("form", &Form::WORDS)?;
    let is_convex = form == Form::Convex;
    let held = (!enforced).then(|| ("lambda".into(), "0".to_string()));
    let convex = is_convex.then(|| ("form".into(), "convex".to_string()));
    let words = [(is_convex, "convex"), (!enforced, "λ = 0")];
    Ok(Policy {
        settings: held.into_iter().chain(convex).collect(),
        words: words
            .into_iter()
            .filter(|(said, _)| *said)
            .map(|(_, words)| words.to_string())
            .collect(),
        trained: vec![Coefficient::alpha(enforced)],
        ..Policy::new(arguments.name, form.out())
    })
}
