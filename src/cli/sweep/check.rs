//! Check of every combination of a sweep, as `vanc train` would read it, before any is run.

use super::meaning::File;
use crate::cli::output::{FAILED, Failure, complain};
use crate::data::{self, Request};
use crate::error::Result;
use crate::flags::Options;
use crate::ir::{DatasetKind, Model, Shape};
use crate::plan::Purpose;
use crate::sweep::settings::Settings;
use crate::text::counted;
use crate::train::device::{self, Runner};
use std::path::Path;
use std::process::ExitCode;

/// Mistakes that are shown at most.
const SHOWN: usize = 10;

/// Facts about a sound combination that its sweep needs.
pub(super) struct Checked {
    pub epochs: u64,
    /// Engine and device that run it.
    pub runner: Runner,
    /// Bytes that a run takes beside its process and images that are read from files.
    pub memory: f64,
    /// The images, and what the network takes and makes.
    pub data: (DatasetKind, Shape, usize),
}

/// Returns what `measure` makes of the combinations of the grid, in their order, if all are
/// sound. Mistakes are shown, each with the combinations that have it.
pub(super) fn check<T>(
    file: File,
    settings: &Settings,
    measure: impl Fn(&Model, &Options) -> Result<T>,
) -> Result<Vec<T>, Failure> {
    let grid = &settings.grid;
    let seed = grid.seeds.first().copied().unwrap_or_default();
    let mut sound = Vec::new();
    let mut mistakes: Vec<(String, Vec<String>)> = Vec::new();
    for values in grid.combinations() {
        let read = file.read(&settings.flags(&values, seed));
        let sound_one =
            read.and_then(|(model, options)| measure(&model, &options).map_err(|e| e.to_string()));
        match sound_one {
            Ok(checked) => sound.push(checked),
            Err(screen) => {
                let label = grid.label(&values);
                match mistakes.iter_mut().find(|(known, _)| *known == screen) {
                    Some((_, labels)) => labels.push(label),
                    None => mistakes.push((screen, vec![label])),
                }
            }
        }
    }
    if mistakes.is_empty() {
        return Ok(sound);
    }
    show(&mistakes);
    Err(Failure::Said(ExitCode::from(FAILED)))
}

fn show(mistakes: &[(String, Vec<String>)]) {
    let mut text = String::new();
    for (screen, labels) in mistakes.iter().take(SHOWN) {
        let first = match labels.first().map(String::as_str) {
            None | Some("") => "every run",
            Some(label) => label,
        };
        let others = match labels.len() {
            0 | 1 => String::new(),
            2 => ", and 1 other combination".into(),
            n => format!(", and {} other combinations", n - 1),
        };
        text.push_str(&format!("in {first}{others}:\n\n{}\n\n", screen.trim_end()));
    }
    let more = match mistakes.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!("and {}; ", counted(n, "more mistake")),
    };
    complain(&format!("{text}{more}nothing was begun\n"));
}

/// Measures what a run takes of this machine.
pub(super) fn measure(model: &Model, options: &Options) -> Result<Checked> {
    let kind = model.train.data.kind;
    let (images, batch) = match kind.drawn() {
        Some(drawn) => (drawn.train + drawn.test, model.train.batch.min(drawn.train)),
        None => (0, model.train.batch),
    };
    let images = images as f64 * model.input.elements() as f64;
    let runner = device::choose(options.on)?.runner;
    let needed = match runner.card() {
        Some(_) => 0.0,
        None => runner.needed_memory(model, batch, Purpose::Training)?,
    };
    Ok(Checked {
        epochs: model.train.epochs as u64,
        runner,
        memory: images + needed,
        data: (kind, model.input, model.output.elements()),
    })
}

/// Reads each dataset that comes as files, so that one that is missing or damaged is
/// found now and not by every run; the bytes of the largest.
pub(super) fn read_data(checked: &[Checked], dir: Option<&Path>) -> Result<usize> {
    let mut seen: Vec<(DatasetKind, Shape, usize)> = Vec::new();
    let mut most = 0;
    for Checked { data, .. } in checked {
        let (kind, input, classes) = *data;
        if kind.drawn().is_some() || seen.contains(data) {
            continue;
        }
        seen.push(*data);
        let request = Request {
            kind,
            dir,
            input,
            classes,
            trained: None,
        };
        let dataset = data::load(&request, &|_, _| {})?;
        most = most.max(dataset.train.pixels.len() + dataset.test.pixels.len());
    }
    Ok(most)
}
