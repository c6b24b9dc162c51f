//! The skip policies as values of the language.

use crate::ir::Form;
use std::fmt;

/// The names of the policies.
pub(super) const POLICIES: [&str; 5] = ["plain", "resnet", "highway", "dirac", "variable"];

/// A policy with its settings, before the network around it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PolicyValue {
    Plain,
    Resnet { scale: f64 },
    Highway { bias: f64 },
    Dirac,
    Variable { form: Form, enforced: bool },
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
            PolicyValue::Plain => f.write_str("plain"),
            PolicyValue::Resnet { scale: 1.0 } => f.write_str("resnet"),
            PolicyValue::Resnet { scale } => write!(f, "resnet(scale: {scale:?})"),
            PolicyValue::Highway { bias: -2.0 } => f.write_str("highway"),
            PolicyValue::Highway { bias } => write!(f, "highway(bias: {bias:?})"),
            PolicyValue::Dirac => f.write_str("dirac"),
            PolicyValue::Variable { form, enforced } => {
                let form = match form {
                    Form::Additive => None,
                    Form::Convex => Some("form: convex"),
                };
                let lambda = (!enforced).then_some("lambda: 0");
                let args: Vec<&str> = lambda.into_iter().chain(form).collect();
                match args.as_slice() {
                    [] => f.write_str("variable"),
                    args => write!(f, "variable({})", args.join(", ")),
                }
            }
        }
    }
}
