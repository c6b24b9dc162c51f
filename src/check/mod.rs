//! From syntax tree to typed network: the only reader of the one and the only builder
//! of the other.
//!
//! A check goes on after a mistake, and reports every one that does not follow from
//! another:
//!
//! 1. `declarations`: duplicate and forbidden names, recursive blocks (`van::name`);
//! 2. `types`, `typing`: names and types of all expressions and arguments, also in blocks that
//!    are never called (`van::name`, `van::type`);
//! 3. `params`: values of params, from defaults and flags, in their ranges (`van::value`);
//! 4. `train_settings`: the training settings (`van::value`, `van::train`);
//! 5. `elaborate`: the expansion of blocks and repeats, and the shape of
//!    every layer (`van::value`, `van::shape`, `van::limit`);
//! 6. `dataset_check`: whether network and dataset fit each other (`van::train`).

mod arguments;
mod call;
mod dataset_check;
mod declarations;
mod elaborate;
mod equation;
mod eval;
mod layer_scope;
mod params;
mod prelude;
mod report;
mod train_settings;
mod types;
mod typing;
mod value;

pub use declarations::RESERVED;
pub use params::{ParamInfo, param_infos};

use crate::diag::{Diagnostic, Sources};
use crate::ir::Model;
use crate::syntax::{ast, parse, parse_value};

use declarations::Declarations;
use report::Reports;

/// Layers of an expanded network at most.
pub const MAX_LAYERS: usize = 100_000;
/// Turns of repeats and calls of blocks at most.
pub const MAX_STEPS: usize = 2 * MAX_LAYERS;
/// Skips, concats, repeats and block calls inside one another at most.
pub const MAX_DEPTH: usize = 128;
/// Bytes of a layer's path at most.
pub const MAX_PATH: usize = 1024;
/// Elements of one tensor at most, for one sample.
pub const MAX_ELEMENTS: u128 = 1 << 31;

/// A value from the command line that replaces one of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// What is replaced.
    pub target: OverrideTarget,
    /// The name of the param or setting; the flag without its dashes.
    pub name: String,
    /// The value as it was typed.
    pub value: String,
}

/// What an [`Override`] replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideTarget {
    /// A `param` of the file.
    Param,
    /// A setting of `train { … }`; besides those, `rate` sets the optimizer's.
    Setting,
}

/// Checks the file that `sources` holds, with values from the command line.
/// Texts of flags are added to `sources`, so that reports can point at them.
///
/// `trains` says that the network is going to be trained: then it has to fit its
/// dataset even where the file has no `train` section.
///
/// # Errors
/// Every independent mistake, in the order of the passes above.
pub fn check(
    sources: &mut Sources,
    overrides: &[Override],
    trains: bool,
) -> Result<Model, Vec<Diagnostic>> {
    prelude::validate()?;
    let file = parse(sources.text(0), 0)?;
    let mut reports = Reports::default();
    let flags = parse_flags(sources, overrides, &mut reports);
    let declared = Declarations::collect(&file, &mut reports);
    types::check(&declared, &mut reports);
    let params = params::resolve(&declared, &flags, &mut reports);
    let settings = train_settings::resolve(&declared, &params, &flags, &mut reports);
    let data = settings.data;
    let network = elaborate::elaborate(&declared, &params, settings.train, &mut reports);
    if let Some((model, last)) = &network
        && (trains || declared.train.is_some())
    {
        dataset_check::check(model, &declared, *last, data, &mut reports);
    }
    match network {
        Some((model, _)) if reports.is_empty() => Ok(model),
        _ => Err(reports.into_diagnostics()),
    }
}

/// A flag with its value parsed.
struct Flag<'a> {
    target: OverrideTarget,
    name: &'a str,
    value: ast::Expr,
}

fn parse_flags<'a>(
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
