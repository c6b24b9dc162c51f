//! The curves of `vanc watch`: live on a terminal, else one picture.

use crate::cli::arguments::path;
use crate::cli::output::{Failure, print, stopped};
use crate::train::run_folder;
use crate::train::snapshot::{Snapshot, State};
use crate::watch::terminal::{self, Left};
use crate::watch::{screen, state};
use clap::ArgMatches;
use std::io::IsTerminal;
use std::path::Path;

/// Columns and rows of the picture for a pipe.
const PLAIN: (u16, u16) = (100, 30);

/// Watches a run: live on a terminal, else one picture.
pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let dir = path(matches, "RUN").unwrap_or(Path::new("."));
    if !std::io::stdout().is_terminal() || console::is_dumb() {
        let watched = state::read(dir)?;
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

/// Draws the curves as they are, and what can be done with the run.
fn picture(watched: &Snapshot, (width, height): (u16, u16)) -> String {
    let mut text = screen::plain(watched, width, height);
    if let Some(damage) = &watched.damage {
        text.push_str(&format!("\n{damage}\n"));
    }
    if watched.state == State::Stopped {
        text.push_str(&format!(
            "\nNo process trains here now; to go on:\n    {}\n",
            run_folder::go_on(&watched.dir)
        ));
    }
    text
}
