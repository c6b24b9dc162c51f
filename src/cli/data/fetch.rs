//! `vanc data fetch NAME…`: datasets from the network.

#[cfg(feature = "fetch")]
mod download;

use super::folder;
use crate::cli::command::{Command, Operand, OperandKind, Run};
use crate::fetch::CATALOG;
use crate::flags::{self, Flag, Value};

pub(super) const COMMAND: Command = Command {
    name: "fetch",
    about: "Download datasets, going on where an earlier fetch stopped",
    flags: &[(None, &[folder::FLAG]), (None, FETCH), (None, flags::QUIET)],
    #[cfg(feature = "fetch")]
    run: Run::Other(&[NAMES], |matches| Ok(download::run(matches)?)),
    #[cfg(not(feature = "fetch"))]
    run: Run::Other(&[NAMES], |_| {
        crate::cli::command::unbuilt("vanc data fetch", "fetch")
    }),
};

const NAMES: Operand = Operand {
    name: "NAME",
    help: "The datasets",
    kind: OperandKind::Words(|| CATALOG.map(|(_, dataset)| dataset.name).to_vec()),
};

/// Flags of this command alone. No param of a file stands beside them.
const FETCH: &[Flag<flags::Options>] = &[
    Flag::new(
        "from",
        Value::Text("URL"),
        "A folder with the files, in place of the public mirrors",
    ),
    Flag::new(
        "timeout",
        Value::Seconds,
        "How long a mirror may send nothing [default: 30]",
    ),
    Flag::new(
        "retries",
        Value::Count("N"),
        "Tries in vain after each mirror had one [default: 3]",
    ),
    Flag::new("force", Value::Switch, "Fetch again what is there"),
];
