//! Checker: makes a typed network of a syntax tree. It is the only reader of the one and the only
//! builder of the other.
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

mod arithmetic;
mod call;
mod dataset_check;
mod declarations;
mod elaborate;
mod equation;
mod eval;
mod flags;
mod layer_scope;
mod limits;
mod params;
mod prelude;
mod report;
mod scope;
mod train_settings;
mod types;
mod typing;
mod value;
mod word;

pub use flags::{Override, OverrideTarget};
pub use limits::{MAX_DEPTH, MAX_ELEMENTS, MAX_LAYERS, MAX_PATH, MAX_STEPS};
pub use params::{ParamInfo, param_infos};
pub use prelude::{layers, policies};

use crate::diag::{Diagnostic, Sources};
use crate::ir::Model;
use crate::schedule;
use crate::syntax::{Parsed, read};

use declarations::Declarations;
use flags::parse_flags;
use report::Reports;
use train_settings::Rows;

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
    checked(sources, overrides, trains, Rows::Current)
}

/// Checks the file of a checkpoint, as [`check`] does a file. Settings that version 0.1 took are
/// still taken, and params may be called like flags that have come since.
///
/// # Errors
/// Every independent mistake.
pub fn recheck(
    sources: &mut Sources,
    overrides: &[Override],
    trains: bool,
) -> Result<Model, Vec<Diagnostic>> {
    checked(sources, overrides, trains, Rows::OfCheckpoints)
}

fn checked(
    sources: &mut Sources,
    overrides: &[Override],
    trains: bool,
    rows: Rows,
) -> Result<Model, Vec<Diagnostic>> {
    prelude::validate()?;
    let Parsed { file, mistakes } = read(sources.text(0), 0);
    let Some(file) = file else {
        return Err(mistakes);
    };
    let mut reports = Reports::from(mistakes);
    let flags = parse_flags(sources, overrides, &mut reports);
    let declared = Declarations::collect(&file, rows == Rows::Current, &mut reports);
    types::check(&declared, &mut reports);
    let params = params::resolve(&declared, &flags, &mut reports);
    let settings = train_settings::resolve(&declared, &params, &flags, rows, &mut reports);
    let named = dataset_check::Named {
        data: settings.data,
        batch: settings.batch,
    };
    let network = elaborate::elaborate(&declared, &params, settings.train, &mut reports);
    if let Some((model, last)) = &network
        && (trains || declared.train.is_some())
    {
        dataset_check::check(model, &declared, *last, named, &mut reports);
    }
    match network {
        Some((mut model, _)) if reports.is_empty() => {
            if let Some(images) = model.train.data.kind.train_images() {
                schedule::resolve(&mut model.train, images);
            }
            Ok(model)
        }
        _ => Err(reports.into_diagnostics()),
    }
}
