//! `vanc watch RUN`: a run's curves in the terminal.

use crate::error::Result;
use crate::watch::terminal::{self, Left};
use crate::watch::{State, Watched, screen};
use std::io::IsTerminal;
use std::path::Path;

/// Columns and rows of the picture for a pipe.
const PLAIN: (u16, u16) = (100, 30);

/// How watching ended.
pub enum Outcome {
    /// What is to be printed; nothing where the watcher left.
    Print(String),
    /// A signal came.
    Signal(i32),
}

/// Watches the run in `dir`: live on a terminal, else one picture.
pub fn run(dir: &Path) -> Result<Outcome> {
    if !std::io::stdout().is_terminal() || console::is_dumb() {
        let watched = Watched::read(dir)?;
        return Ok(Outcome::Print(picture(&watched, PLAIN)));
    }
    Ok(match terminal::watch(dir)? {
        Left::Ended(watched) => {
            let (rows, columns) = console::Term::stdout().size();
            Outcome::Print(picture(
                &watched,
                (columns.clamp(20, 120), rows.clamp(10, 30)),
            ))
        }
        Left::Key => Outcome::Print(String::new()),
        Left::Signal(signal) => Outcome::Signal(signal),
    })
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
