//! The folder that datasets are in.

use crate::cli::arguments::path;
use crate::data;
use crate::error::{Error, Result};
use crate::flags::{Flag, Options, Value};
use clap::ArgMatches;
use std::path::PathBuf;

/// The flag that names the folder.
pub(super) const FLAG: Flag<Options> = Flag::new(
    "data-dir",
    Value::Path("DIR"),
    "The folder of the datasets [default: $VANC_DATA, else the platform's folder for data]",
);

/// Returns the folder that the flag names, or the one that is looked into without it.
pub(super) fn folder(matches: &ArgMatches) -> Result<PathBuf> {
    path(matches, FLAG.name)
        .map(PathBuf::from)
        .or_else(data::folder)
        .ok_or_else(|| {
            Error::new("there is no home folder, and so no folder for data")
                .help("name one with --data-dir DIR or the environment variable VANC_DATA")
        })
}
