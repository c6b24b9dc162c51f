//! The skip policies as the language names them, before the network around is known.

use crate::ir::call::{
    Arguments, Bounds, Conflict, ConflictKind, Kind, Literal, Refusal, Row, Slot, words,
};
use serde::Serialize;
use std::fmt;

/// A policy with its settings, before the network around it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PolicyValue {
    /// `F(x)`.
    Plain,
    /// `scale·F(x) + scale·s(x)`.
    Resnet {
        /// Factor of both terms.
        scale: f64,
    },
    /// `F(x)·T(x) + s(x)·(1 − T(x))`.
    Highway {
        /// Where the gate's bias starts.
        bias: f64,
    },
    /// F with Dirac weights.
    Dirac,
    /// `F(x) + (1 − α)·s(x)`, or the convex form.
    Variable {
        /// Which of the two.
        form: Form,
        /// Whether λ moves.
        enforced: bool,
    },
}

/// The two ways to weigh a skip by α.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
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
}

/// The skip policies.
pub fn policies() -> &'static [Row<PolicyValue>] {
    const POLICIES: &[Row<PolicyValue>] = &[PLAIN, RESNET, HIGHWAY, DIRAC, VARIABLE];
    POLICIES
}

const SCALE: f64 = 1.0;
const GATE_BIAS: f64 = -2.0;

const PLAIN: Row<PolicyValue> = Row {
    name: "plain",
    doc: "F(x)",
    slots: &[],
    build: |_| Ok(PolicyValue::Plain),
};

const RESNET: Row<PolicyValue> = Row {
    name: "resnet",
    doc: "scale·F(x) + scale·s(x)",
    slots: &[Slot::optional(
        "scale",
        Kind::Float(Bounds::Any),
        Literal::Float(SCALE),
        "factor of both terms",
    )],
    build: |arguments| {
        let scale = arguments.float("scale")?;
        Ok(PolicyValue::Resnet { scale })
    },
};

const HIGHWAY: Row<PolicyValue> = Row {
    name: "highway",
    doc: "F(x)·T(x) + s(x)·(1 − T(x)), with T(x) the sigmoid of a layer of x",
    slots: &[Slot::optional(
        "bias",
        Kind::Float(Bounds::Any),
        Literal::Float(GATE_BIAS),
        "where the bias of that layer starts",
    )],
    build: |arguments| {
        let bias = arguments.float("bias")?;
        Ok(PolicyValue::Highway { bias })
    },
};

const DIRAC: Row<PolicyValue> = Row {
    name: "dirac",
    doc: "F(x) with a Dirac weight in every convolution and linear layer",
    slots: &[],
    build: |_| Ok(PolicyValue::Dirac),
};

const VARIABLE: Row<PolicyValue> = Row {
    name: "variable",
    doc: "F(x) + (1 − α)·s(x), α trained under the constraint α = 1",
    slots: &[
        Slot::derived(
            "lambda",
            Kind::Float(Bounds::Any),
            "0 holds λ at 0, so that α is trained freely",
        ),
        Slot::optional(
            "form",
            Kind::Word(&Form::NAMES),
            Literal::Word(Form::NAMES[0]),
            "`convex` is α·F(x) + (1 − α)·s(x)",
        ),
    ],
    build: variable,
};

fn variable(arguments: &Arguments) -> Result<PolicyValue, Refusal> {
    let enforced = !arguments.is_given("lambda");
    if !enforced {
        let lambda = arguments.float("lambda")?;
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
    Ok(PolicyValue::Variable {
        form: arguments.choice("form", &Form::WORDS)?,
        enforced,
    })
}

impl PolicyValue {
    /// Whether s(x) is part of the output.
    pub fn has_shortcut(self) -> bool {
        match self {
            PolicyValue::Plain | PolicyValue::Dirac => false,
            PolicyValue::Resnet { .. }
            | PolicyValue::Highway { .. }
            | PolicyValue::Variable { .. } => true,
        }
    }
}

impl fmt::Display for PolicyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyValue::Plain => f.write_str(PLAIN.name),
            PolicyValue::Resnet { scale: SCALE } => f.write_str(RESNET.name),
            PolicyValue::Resnet { scale } => write!(f, "resnet(scale: {scale:?})"),
            PolicyValue::Highway { bias: GATE_BIAS } => f.write_str(HIGHWAY.name),
            PolicyValue::Highway { bias } => write!(f, "highway(bias: {bias:?})"),
            PolicyValue::Dirac => f.write_str(DIRAC.name),
            PolicyValue::Variable { form, enforced } => {
                let form = match form {
                    Form::Additive => None,
                    Form::Convex => Some("form: convex"),
                };
                let lambda = (!enforced).then_some("lambda: 0");
                let args: Vec<&str> = lambda.into_iter().chain(form).collect();
                match args.as_slice() {
                    [] => f.write_str(VARIABLE.name),
                    args => write!(f, "variable({})", args.join(", ")),
                }
            }
        }
    }
}
