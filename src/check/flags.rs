//! Values from the command line.

use super::report::Reports;
use crate::diag::Sources;
use crate::flags::Overrides;
use crate::syntax::{ast, parse_value};

/// A value from the command line that replaces one of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Kind of declaration that is replaced.
    pub target: OverrideTarget,
    /// The name of the param or setting; the flag without its dashes.
    pub name: String,
    /// The value as it was typed.
    pub value: String,
}

impl Override {
    /// Lists the values of `overrides`.
    pub fn list(overrides: &Overrides) -> Vec<Override> {
        let list = |target, pairs: &[(String, String)]| -> Vec<Override> {
            let pairs = pairs.iter().cloned();
            pairs
                .map(|(name, value)| Override {
                    target,
                    name,
                    value,
                })
                .collect()
        };
        let mut all = list(OverrideTarget::Param, &overrides.params);
        all.extend(list(OverrideTarget::Setting, &overrides.settings));
        all
    }
}

/// Kind of declaration that an [`Override`] replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideTarget {
    /// A `param` of the file.
    Param,
    /// A setting of `train { … }`; besides those, `rate` sets the optimizer's.
    Setting,
}

/// A flag with its value parsed.
pub(super) struct Flag<'a> {
    pub target: OverrideTarget,
    pub name: &'a str,
    pub value: ast::Expr,
}

/// Parses the values of the flags, each a text of `sources` of its own.
pub(super) fn parse_flags<'a>(
    sources: &mut Sources,
    overrides: &'a [Override],
    reports: &mut Reports,
) -> Vec<Flag<'a>> {
    let mut flags = Vec::new();
    for given in overrides {
        let source = sources.add(format!("--{}", given.name), given.value.as_str());
        match parse_value(&given.value, source) {
            Ok(value) => flags.push(Flag {
                target: given.target,
                name: &given.name,
                value,
            }),
            Err(mistakes) => mistakes.into_iter().for_each(|m| reports.add(m)),
        }
    }
    flags
}
