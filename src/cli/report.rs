//! `vanc report DIR`: figures and tables of a sweep or a run.

#[cfg(feature = "report")]
mod page;

use super::command::{Command, Operand, OperandKind, Run};
use crate::flags;

pub(super) const COMMAND: Command = Command {
    name: "report",
    about: "Draw the figures and tables of a sweep or a run, as one HTML page",
    flags: &[(None, flags::REPORT)],
    #[cfg(feature = "report")]
    run: Run::Other(&[FOLDER], page::run),
    #[cfg(not(feature = "report"))]
    run: Run::Other(&[FOLDER], |_| {
        super::command::unbuilt("vanc report", "report")
    }),
};

const FOLDER: Operand = Operand {
    name: "DIR",
    help: "The folder of a sweep or of a run",
    kind: OperandKind::Path,
};
