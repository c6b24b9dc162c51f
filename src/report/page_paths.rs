//! Places of a page and of its figures.

use super::figure::Figure;
use super::page::Page;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files::write_atomic;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Pixels of a PNG for each unit of its figure: 1200 in width.
const ZOOM: f32 = 3.0;

/// Files of a report that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Path of the page.
    pub page: PathBuf,
    /// Folder of the figures.
    pub folder: PathBuf,
    /// Number of figures, each as SVG and as PNG.
    pub figures: usize,
    /// State of a single run that has not ended.
    pub unfinished: Option<Unfinished>,
    /// Damage to logs, a sentence each.
    pub damages: Vec<String>,
}

/// State of a run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// State of it, and how far it has come: `stopped: step 7 of 40`.
    pub state: String,
    /// The command that goes on with it, if no process does and there is what that needs.
    pub go_on: Option<String>,
}

/// Places of a page and of its figures.
pub(super) struct PagePaths {
    page: PathBuf,
    /// Folder of the page.
    pub parent: PathBuf,
    /// Folder of the figures, relative to `parent`.
    pub figures: PathBuf,
}

impl PagePaths {
    pub fn new(page: &Path) -> Result<PagePaths> {
        let stem = page.file_stem().filter(|_| !page.is_dir());
        let Some(stem) = stem else {
            return Err(Error::new(format!("{} names no file", page.shown()))
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

    pub fn write(&self, page: &Page, figures: &[Figure]) -> Result<Written> {
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
            unfinished: None,
            damages: Vec::new(),
        })
    }
}

/// Adds what helps to a failure to write.
fn with_advice(error: Error) -> Error {
    Error::new(error.message).help("name a page where it can be written with -o FILE")
}
