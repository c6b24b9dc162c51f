//! Figures and tables from the logs of runs.
//!
//! [`write()`] reads a sweep's folder or a run's, and writes one HTML page with
//! everything in it and the figures as files beside it. [`chart`] draws.

pub mod chart;
mod figure;
mod page;
mod published;
mod run_page;
mod spread;
pub mod sweep;
mod sweep_figures;
mod sweep_page;
mod table;
mod view;

use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::sweep::folder;
use crate::train::run_folder;
use figure::Figure;
use page::Page;
use published::Published;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use sweep::{Run, Sweep};

/// Pixels of a PNG for each unit of its figure: 1200 in width.
const ZOOM: f32 = 3.0;

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

/// Files of a report that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Path of the page.
    pub page: PathBuf,
    /// Folder of the figures.
    pub folder: PathBuf,
    /// Number of figures, each as SVG and as PNG.
    pub figures: usize,
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
    let (page, figures) = match kind {
        Kind::Sweep => {
            let sweep = Sweep::read(dir)?;
            sweep_page::page(&sweep, published.as_ref(), request.layers, &paths)
        }
        Kind::Run => run_page::page(dir, &paths)?,
    };
    paths.write(&page, &figures)
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
        true => Error::new(format!("{} is neither a sweep nor a run", dir.display())),
        false if dir.exists() => Error::new(format!("{} is no folder", dir.display())),
        false => Error::new(format!("{} is not there", dir.display())),
    }
    .help(help))
}

/// Paths of the page and its figures.
pub(crate) struct PagePaths {
    page: PathBuf,
    /// Folder of the page.
    parent: PathBuf,
    /// Folder of the figures, relative to `parent`.
    figures: PathBuf,
}

impl PagePaths {
    fn new(page: &Path) -> Result<PagePaths> {
        let stem = page.file_stem().filter(|_| !page.is_dir());
        let Some(stem) = stem else {
            return Err(Error::new(format!("{} names no file", page.display()))
                .help("name the page, such as -o report.html"));
        };
        let mut figures = stem.to_owned();
        figures.push("-figures");
        let parent = match page.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        // Links from the page need its folder.
        std::fs::create_dir_all(parent).map_err(|e| with_advice(Error::io("make", parent, e)))?;
        Ok(PagePaths {
            page: page.to_owned(),
            parent: parent.to_owned(),
            figures: figures.into(),
        })
    }

    fn write(&self, page: &Page, figures: &[Figure]) -> Result<Written> {
        let folder = self.parent.join(&self.figures);
        let needed = if figures.is_empty() {
            &self.parent
        } else {
            &folder
        };
        std::fs::create_dir_all(needed).map_err(|e| with_advice(Error::io("make", needed, e)))?;
        let each = |figure: &Figure| {
            let svg = figure.chart.svg();
            let file = |ending: &str| folder.join(format!("{}.{ending}", figure.name));
            write_atomic(&file("svg"), svg.as_bytes()).map_err(with_advice)?;
            write_atomic(&file("png"), &figure.chart.png(ZOOM)?).map_err(with_advice)
        };
        figures.par_iter().try_for_each(each)?;
        write_atomic(&self.page, page.html().as_bytes()).map_err(with_advice)?;
        Ok(Written {
            page: self.page.clone(),
            folder,
            figures: figures.len(),
        })
    }
}

/// The failure to write a file, with advice.
fn with_advice(error: Error) -> Error {
    Error::new(error.message).help("name a page where it can be written with -o FILE")
}
