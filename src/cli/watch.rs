//! `vanc watch RUN`: a run's curves in the terminal.

use super::arguments::path;
use super::command::{Command, Operand, OperandKind, Run};
use super::output::{Failure, print, stopped};
use crate::watch::terminal::{self, Left};
use crate::watch::{State, Watched, screen};
use clap::ArgMatches;
use std::io::IsTerminal;
use std::path::Path;

/// Columns and rows of the picture for a pipe.
const PLAIN: (u16, u16) = (100, 30);

pub(super) const COMMAND: Command = Command {
    name: "watch",
    about: "Show the curves of a run in the terminal as they grow",
    flags: &[],
    run: Run::Other(Some(FOLDER), run),
};

const FOLDER: Operand = Operand {
    name: "RUN",
    help: "The folder of a run, also of one that has just begun",
    kind: OperandKind::Path,
};

/// Watches a run: live on a terminal, else one picture.
fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let dir = path(matches, "RUN").unwrap_or(Path::new("."));
    if !std::io::stdout().is_terminal() || console::is_dumb() {
        let watched = Watched::read(dir)?;
        return print(&picture(&watched, PLAIN));
    }
    match terminal::watch(dir)? {
        Left::Ended(watched) => {
            let (rows, columns) = console::Term::stdout().size();
            let size = (columns.clamp(20, 120), rows.clamp(10, 30));
            print(&picture(&watched, size))
        }
        Left::Key => Ok(()),
        Left::Signal(signal) => Err(Failure::Said(stopped(signal))),
    }
}

/// The curves as they are, and what can be done with the run.
fn picture(watched: &Watched, (width, height): (u16, u16)) -> String {
    let mut text = screen::plain(watched, width, height);
    if watched.state == State::Stopped {
        text.push_str(
            "\nNo process trains here now; the run's own command with --resume goes on.\n",
        );
    }
    text
}
