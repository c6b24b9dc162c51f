//! The place that predictions are written to, and the bar beside it.

use crate::error::{Error, Result};
use crate::files::Aside;
use crate::paint;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Standard output or a file, and a bar on standard error if that is a terminal.
pub(super) struct Sink {
    target: Target,
    bar: ProgressBar,
}

enum Target {
    Stdout,
    /// Standard output that nobody reads any more.
    Closed,
    File(Aside),
}

impl Sink {
    /// Makes a sink to the new file at `path`, or to standard output.
    pub fn new(path: Option<&Path>) -> Result<Sink> {
        let target = match path {
            Some(path) => Target::File(Aside::new(path).map_err(|e| match e.help {
                Some(_) => e,
                None => e.help("name a file where it can be written with -o FILE"),
            })?),
            None => Target::Stdout,
        };
        Ok(Sink {
            target,
            bar: ProgressBar::hidden(),
        })
    }

    /// Returns the columns of the terminal that it writes to, if it does.
    pub fn width(&self) -> Option<usize> {
        match self.target {
            Target::Stdout => paint::width(),
            Target::Closed | Target::File(_) => None,
        }
    }

    /// Begins a bar of so many images.
    pub fn begin(&mut self, images: usize) {
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(Some(images as u64), target);
        let style = ProgressStyle::with_template(
            "  {bar:24.cyan/black.bright} {pos}/{len}  {per_sec}, {eta} left",
        );
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸─"));
        self.bar = bar;
    }

    /// Moves the bar on.
    pub fn advance(&self, images: usize) {
        self.bar.inc(images as u64);
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Writes elsewhere on the terminal, with the bar out of the way.
    pub fn beside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Whether nobody reads any more, as behind `head`.
    pub fn is_closed(&self) -> bool {
        matches!(self.target, Target::Closed)
    }

    /// Writes predictions. That nobody reads them is no error.
    pub fn write(&mut self, text: &str) -> Result<()> {
        match &mut self.target {
            Target::Closed => Ok(()),
            Target::File(file) => file.write(text.as_bytes()),
            Target::Stdout => {
                let mut out = std::io::stdout();
                let mut write = || out.write_all(text.as_bytes()).and_then(|()| out.flush());
                match self.bar.suspend(&mut write) {
                    Ok(()) => Ok(()),
                    Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                        self.target = Target::Closed;
                        Ok(())
                    }
                    Err(e) => Err(Error::new(format!("cannot write to standard output: {e}"))),
                }
            }
        }
    }

    /// Drops the file that was begun.
    pub fn discard(&mut self) {
        self.target = Target::Closed;
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        match self.target {
            Target::File(file) => file.finish(),
            Target::Stdout | Target::Closed => Ok(()),
        }
    }
}
