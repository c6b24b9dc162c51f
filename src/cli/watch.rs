//! `vanc watch RUN`: a run's curves in the terminal.

#[cfg(feature = "watch")]
mod curves;

use super::command::{Command, Operand, OperandKind, Run};

pub(super) const COMMAND: Command = Command {
    name: "watch",
    about: "Show the curves of a run in the terminal as they grow",
    flags: &[],
    #[cfg(feature = "watch")]
    run: Run::Other(&[FOLDER], curves::run),
    #[cfg(not(feature = "watch"))]
    run: Run::Other(&[FOLDER], |_| {
        super::command::unbuilt("vanc watch", "watch")
    }),
};

const FOLDER: Operand = Operand {
    name: "RUN",
    help: "The folder of a run, also of one that has just begun",
    kind: OperandKind::Path,
};
