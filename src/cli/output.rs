//! Output of a command for the terminal: text, reports of mistakes, exit codes.

use crate::diag::{Diagnostic, MAX_REPORTS, Sources, Style};
use crate::error::{Error, Result};
use crate::escape::{Shown, escaped_lines};
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// Why a command did not do what it was asked to.
pub(super) enum Failure {
    /// Mistakes in the file, drawn with its source.
    Mistakes(Vec<Diagnostic>),
    /// Anything else.
    Error(Error),
    /// The command has said it itself.
    Said(ExitCode),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

/// Exit code for a wrong file or a failed run.
pub(super) const FAILED: u8 = 1;
/// Exit code for a wrong command line.
pub(super) const MISUSED: u8 = 2;

/// Returns the exit code of a program that a signal ended, as a shell reports it.
pub(super) fn stopped(signal: i32) -> ExitCode {
    ExitCode::from(128u8.wrapping_add(signal as u8))
}

/// Writes to standard output. A reader that has seen enough, such as `head`, is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::new(format!("cannot write to standard output: {e}")).into())
        }
        _ => Ok(()),
    }
}

/// Writes to standard error. There is nobody to tell where that fails.
pub(super) fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Draws an error on standard error.
pub(super) fn fail(error: &Error, code: u8) -> ExitCode {
    let red = console::Style::new().red().bold().for_stderr();
    let cyan = console::Style::new().cyan().for_stderr();
    let mut text = format!(
        "{} {}\n",
        red.apply_to("error:"),
        escaped_lines(&error.message)
    );
    if let Some(help) = &error.help {
        let help = escaped_lines(help);
        text.push_str(&format!("  {} {help}\n", cyan.apply_to("help:")));
    }
    complain(&text);
    ExitCode::from(code)
}

/// Draws mistakes in the file at `path` on standard error, or writes them as JSON lines to
/// standard output.
pub(super) fn report(mistakes: &[Diagnostic], path: &Path, sources: &Sources, json: bool) {
    if json {
        let lines = mistakes.iter().map(|m| format!("{}\n", m.to_json(sources)));
        let _ = print(&lines.collect::<String>());
        return;
    }
    let screens = mistakes.iter().map(|m| m.render(sources, style()));
    let many = match mistakes.len() {
        1 => "1 mistake".to_string(),
        MAX_REPORTS => format!("{MAX_REPORTS} mistakes or more"),
        n => format!("{n} mistakes"),
    };
    complain(&format!(
        "{}\n{}: {many}\n",
        screens.collect::<Vec<_>>().join("\n"),
        path.shown(),
    ));
}

/// Returns the style in which reports are drawn on standard error.
pub(super) fn style() -> Style {
    let terminal = std::io::stderr().is_terminal();
    Style {
        color: terminal && console::colors_enabled_stderr(),
        width: match terminal {
            true => usize::from(console::Term::stderr().size().1).clamp(60, 120),
            false => 100,
        },
    }
}
