//! Figures and tables from the logs of runs.
//!
//! [`write()`] reads a sweep's folder or a run's, and writes one HTML page with
//! everything in it and the figures as files beside it. [`chart`] draws.

pub mod chart;
mod confusion;
mod figure;
mod page;
mod page_paths;
mod published;
mod run_page;
mod spread;
pub mod sweep;
mod sweep_figures;
mod sweep_page;
mod table;
mod view;

pub use page_paths::{Unfinished, Written};

use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::sweep::{folder, results};
use crate::train::run_folder;
use crate::train::snapshot::Snapshot;
use page_paths::PagePaths;
use published::Published;
use std::path::Path;
use sweep::{Run, Sweep};

/// A report to write: its source, its page, and what to compare with.
pub struct Request<'a> {
    /// Folder of a sweep or a run.
    pub dir: &'a Path,
    /// Path of the page; by default `report.html` in `dir`.
    pub out: Option<&'a Path>,
    /// File of published results, to show beside those of a sweep.
    pub published: Option<&'a Path>,
    /// Function that counts the weighted layers of a run's network.
    pub layers: &'a dyn Fn(&Run) -> Option<usize>,
}

/// Reads the folder and writes the page and the figures.
///
/// # Errors
///
/// When the folder is neither a sweep nor a run, when its logs or the published results
/// cannot be read, when a single run is to be compared with published results, and when a
/// file cannot be written.
pub fn write(request: &Request) -> Result<Written> {
    let dir = request.dir;
    let kind = kind(dir)?;
    let published = request.published.map(Published::read).transpose()?;
    if let (Kind::Run, Some(_)) = (kind, &published) {
        return Err(
            Error::new("--compare: a single run has no table to compare with")
                .help("leave it out, or name the folder of a sweep"),
        );
    }
    let default = dir.join("report.html");
    let paths = PagePaths::new(request.out.unwrap_or(&default))?;
    let mut unfinished = None;
    let damages: Vec<String>;
    let (page, figures) = match kind {
        Kind::Sweep => {
            let mut sweep = Sweep::read(dir)?;
            if sweep.is_behind() {
                // A part that was cut off has not written down what it did.
                results::write(dir)?;
                sweep = Sweep::read(dir)?;
            }
            damages = sweep
                .runs
                .iter()
                .filter_map(|run| run.damage.clone())
                .collect();
            sweep_page::page(&sweep, published.as_ref(), request.layers, &paths)
        }
        Kind::Run => {
            let run = Snapshot::read(dir)?;
            unfinished = run_page::unfinished(&run);
            damages = run.damage.iter().cloned().collect();
            run_page::page(&run, &paths)
        }
    };
    let written = paths.write(&page, &figures)?;
    Ok(Written {
        unfinished,
        damages,
        ..written
    })
}

/// Kind of a folder to report on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sweep,
    Run,
}

fn kind(dir: &Path) -> Result<Kind> {
    if folder::settings(dir).exists() {
        return Ok(Kind::Sweep);
    }
    if run_folder::config(dir).exists() || run_folder::metrics(dir).exists() {
        return Ok(Kind::Run);
    }
    let help = "give the folder of a sweep (it holds sweep.json) or of a run (config.json)";
    Err(match dir.is_dir() {
        true => Error::new(format!("{} is neither a sweep nor a run", dir.shown())),
        false if dir.exists() => Error::new(format!("{} is no folder", dir.shown())),
        false => Error::new(format!("{} is not there", dir.shown())),
    }
    .help(help))
}
