//! The files of a sweep: its settings, its results, the logs of its runs.

use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use crate::sweep::folder;
use crate::sweep::outcome::Outcome;
use crate::sweep::results::{Record, Status};
use crate::sweep::settings::Settings;
use crate::train::config::Config;
use crate::train::history::Epoch;
use crate::train::run_folder;
use crate::train::snapshot::Snapshot;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// A sweep, read from its folder.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Folder of the sweep.
    pub dir: PathBuf,
    /// Settings: the axes and their values.
    pub settings: Settings,
    /// Runs in the order of the grid.
    pub runs: Vec<Run>,
    /// Text of the `.van` file.
    pub source: Option<String>,
}

/// A run of a sweep.
#[derive(Clone, Debug)]
pub struct Run {
    /// Line of the run in `results.jsonl`.
    pub row: Record,
    /// Folder of the run.
    pub dir: PathBuf,
    /// Epochs completed so far.
    pub history: Vec<Epoch>,
    /// Settings of the run.
    pub config: Option<Config>,
    /// Damage to the run's log, for a person.
    pub damage: Option<String>,
}

impl Sweep {
    /// Reads the sweep in `dir`. A run that has no log yet has no epochs.
    ///
    /// # Errors
    ///
    /// When `sweep.json` or `results.jsonl` is missing or damaged, or the settings of a run are
    /// damaged.
    pub fn read(dir: &Path) -> Result<Sweep> {
        let settings = Settings::read(&folder::settings(dir))?;
        let rows = rows(&folder::results_jsonl(dir))?;
        let runs: Vec<Run> = rows
            .into_par_iter()
            .map(|row| Run::read(dir, row))
            .collect::<Result<_>>()?;
        let beside = Path::new(&settings.file)
            .file_name()
            .map(|name| dir.join(name));
        let copies = runs.iter().map(|run| run_folder::source(&run.dir));
        let source = beside
            .into_iter()
            .chain(copies)
            .find_map(|path| files::read_text(&path).ok());
        Ok(Sweep {
            dir: dir.to_owned(),
            settings,
            runs,
            source,
        })
    }

    /// Tells whether runs have ended that the results do not have yet. Results whose runs
    /// are elsewhere are never behind, so that they are not written over.
    pub fn is_behind(&self) -> bool {
        let has_ended = |run: &Run| Outcome::read(&run.dir).is_some();
        self.with_status(Status::Missing).any(&has_ended)
            && self.with_status(Status::Done).all(has_ended)
    }

    /// Runs whose status is `status`.
    pub fn with_status(&self, status: Status) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.row.status == status)
    }
}

impl Run {
    fn read(dir: &Path, row: Record) -> Result<Run> {
        let dir = dir.join(&row.run);
        let Snapshot {
            config,
            mut history,
            damage,
            ..
        } = Snapshot::read(&dir)?;
        // Their means are in the traces; a large sweep has millions of them.
        history
            .iter_mut()
            .for_each(|epoch| epoch.skips = Vec::new());
        Ok(Run {
            history,
            config,
            damage,
            dir,
            row,
        })
    }
}

/// Reads the lines of `results.jsonl`; a last one that is cut off is left out.
fn rows(path: &Path) -> Result<Vec<Record>> {
    let text = match files::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(format!("{} is not there yet", path.shown()))
                .help("the sweep has no results; start it, or go on with it, by its own command"));
        }
        Err(e) => return Err(Error::io("read", path, e)),
    };
    let mut rows = Vec::new();
    for (i, line) in text.split_inclusive(|&b| b == b'\n').enumerate() {
        match serde_json::from_slice(line) {
            Ok(row) => rows.push(row),
            Err(_) if !line.ends_with(b"\n") || line.trim_ascii().is_empty() => {}
            Err(e) => {
                return Err(Error::new(format!(
                    "{} is damaged in line {}: {e}",
                    path.shown(),
                    i + 1
                ))
                .help("give the sweep's command again: it writes the results anew"));
            }
        }
    }
    Ok(rows)
}
