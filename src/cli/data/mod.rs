//! `vanc data`: datasets fetched from the network, and what there is of them.

#[cfg(feature = "fetch")]
mod fetch;
mod list;

use super::Failure;
use super::options::path_of;
use crate::data;
use crate::error::{Error, Result};
use crate::fetch::CATALOG;
use clap::ArgMatches;
use std::path::PathBuf;

#[cfg(not(feature = "fetch"))]
use super::unbuilt::fetch;

/// Runs `vanc data fetch` or `vanc data list`.
pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("fetch", matches)) => Ok(fetch::run(matches)?),
        Some(("list", matches)) => list::run(matches),
        _ => Err(Error::new("no command given")
            .help("`vanc data --help` lists them")
            .into()),
    }
}

/// The names of what can be fetched.
pub(super) fn names() -> [&'static str; CATALOG.len()] {
    CATALOG.map(|(_, dataset)| dataset.name)
}

/// The folder that the datasets are in: `--data-dir`, or the one that is looked into
/// without it.
fn folder(matches: &ArgMatches) -> Result<PathBuf> {
    path_of(matches, "data-dir")
        .or_else(data::folder)
        .ok_or_else(|| {
            Error::new("there is no home folder, and so no folder for data")
                .help("name one with --data-dir DIR or the environment variable VANC_DATA")
        })
}
