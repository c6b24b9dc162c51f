//! `results.csv` and `results.jsonl`: a row a run, in the grid's order.

use super::folder::{self, alone, results_csv, results_jsonl};
use super::grid::Run;
use super::outcome::Outcome;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::escape::escaped;
use crate::files::write_atomic;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

/// Keys of a record that are no columns of the table, or not in their place: the axes are
/// columns of their own, and nothing in the table may differ when a sweep is repeated.
const NO_COLUMNS: [&str; 3] = [RUN, "axes", "seconds"];

/// The first column: the run's folder, below the sweep's.
const RUN: &str = "run";

/// A line of `results.jsonl`: a run, and what came of it. What it does not have is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Folder, within that of the sweep.
    pub run: String,
    /// Value of each axis, in their order.
    pub axes: Map<String, Value>,
    /// Seed of the run.
    pub seed: u64,
    /// State of the run.
    pub status: Status,
    /// Epochs that it was trained for.
    pub epochs: Option<u64>,
    /// Mean loss over the training images of the last epoch, while they were trained on.
    pub train_loss: Option<f64>,
    /// Share of the same that were classified rightly.
    pub train_accuracy: Option<f64>,
    /// Mean loss over the test images, at the end.
    pub test_loss: Option<f64>,
    /// Share of them classified rightly.
    pub test_accuracy: Option<f64>,
    /// The highest share of them at the end of any epoch.
    pub best_test_accuracy: Option<f64>,
    /// The first epoch with that share.
    pub best_epoch: Option<u64>,
    /// Mean over variable skips of the mean of (1−α)², at the end.
    pub alpha_residual: Option<f64>,
    /// Words of a run that failed.
    pub error: Option<String>,
    /// Seconds trained.
    pub seconds: Option<f64>,
}

/// State of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The run came to its end.
    Done,
    /// The run ended in an error.
    Failed,
    /// The run has not come to its end yet.
    #[default]
    Missing,
}

impl Status {
    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Done => "done",
            Status::Failed => "failed",
            Status::Missing => "missing",
        }
    }
}

/// Runs, by how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs that are done.
    pub done: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Runs that have not ended.
    pub missing: usize,
}

/// Writes both files from what is in the sweep's folder `dir`: its settings, and the
/// outcomes of all its runs, whichever sweep's they were.
///
/// # Errors
/// Where the settings of the sweep cannot be read, or the files not be written.
pub fn write(dir: &Path) -> Result<Tally> {
    alone(dir, || {
        let settings = Settings::read(&folder::settings(dir))?;
        let columns = columns()?;
        let axes = settings.grid.axes.iter().map(|axis| &axis.name);
        let axes = axes.map(|axis| match axis == RUN || columns.contains(axis) {
            // One that is called like another column, such as `epochs`.
            true => format!("axis_{axis}"),
            false => axis.clone(),
        });
        let head = [RUN.to_string()].into_iter().chain(axes);
        let mut table = line(head.chain(columns.iter().cloned()));
        let mut objects = String::new();
        let mut tally = Tally::default();
        for run in settings.grid.runs() {
            let outcome = Outcome::read(&folder::run(dir, &run.name));
            match &outcome {
                Some(Outcome::Done(_)) => tally.done += 1,
                Some(Outcome::Failed { .. }) => tally.failed += 1,
                None => tally.missing += 1,
            }
            let object = object(&Record::new(&settings, &run, outcome))?;
            table.push_str(&row(&object, &run, &columns));
            objects.push_str(&format!("{}\n", Value::Object(object)));
        }
        write_atomic(&results_csv(dir), table.as_bytes())?;
        write_atomic(&results_jsonl(dir), objects.as_bytes())?;
        Ok(tally)
    })
}

/// Lists the columns of the table after those of the axes.
fn columns() -> Result<Vec<String>> {
    let keys = object(&Record::default())?.into_iter().map(|(key, _)| key);
    let columns = keys.filter(|key| !NO_COLUMNS.contains(&key.as_str()));
    Ok(columns.collect())
}

impl Record {
    fn new(settings: &Settings, run: &Run, outcome: Option<Outcome>) -> Record {
        let axes = settings.grid.axes.iter().zip(&run.values);
        let record = Record {
            run: format!("runs/{}", run.name),
            axes: axes
                .map(|(axis, value)| (axis.name.clone(), value.clone().into()))
                .collect(),
            seed: run.seed,
            ..Record::default()
        };
        match outcome {
            Some(Outcome::Done(numbers)) => Record {
                status: Status::Done,
                epochs: Some(numbers.epochs),
                train_loss: numbers.train_loss,
                train_accuracy: numbers.train_accuracy,
                test_loss: Some(numbers.test_loss),
                test_accuracy: Some(numbers.test_accuracy),
                best_test_accuracy: Some(numbers.best_test_accuracy),
                best_epoch: Some(numbers.best_epoch),
                alpha_residual: numbers.alpha_residual,
                seconds: Some(numbers.seconds),
                ..record
            },
            Some(Outcome::Failed { error }) => Record {
                status: Status::Failed,
                error: Some(error),
                ..record
            },
            None => record,
        }
    }

    /// Returns the value of the axis called `name`.
    pub fn axis(&self, name: &str) -> Option<&str> {
        self.axes.get(name)?.as_str()
    }
}

/// Makes a line of `results.jsonl`.
fn object(record: &Record) -> Result<Map<String, Value>> {
    match serde_json::to_value(record) {
        Ok(Value::Object(object)) => Ok(object),
        other => Err(Error::new(format!("a result is no object: {other:?}"))),
    }
}

/// Writes a run's line of `results.csv`, from its line of `results.jsonl`.
fn row(object: &Map<String, Value>, run: &Run, columns: &[String]) -> String {
    let cell = |key: &str| match object.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let others = columns.iter().map(|key| cell(key));
    line(
        [cell(RUN)]
            .into_iter()
            .chain(run.values.iter().cloned())
            .chain(others),
    )
}

/// Writes a line of a table (RFC 4180), with escapes for hidden characters. A text that a
/// spreadsheet would take for a formula begins with `'`, which it takes for the sign of text.
pub fn line(cells: impl Iterator<Item = String>) -> String {
    let quoted = cells.map(|cell| {
        let is_formula = cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err();
        let sign = if is_formula { "'" } else { "" };
        let cell = format!("{sign}{}", escaped(&cell));
        match cell.contains([',', '"']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell,
        }
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::grid::{Axis, Grid};
    use super::super::outcome::Numbers;
    use super::*;
    use serde_json::json;

    /// Makes a sweep with a run of every kind.
    fn sweep(dir: &Path) -> Vec<Run> {
        let grid = Grid {
            axes: ["epochs=1,2", "policy=resnet,f(a: 1, b: 2)"]
                .map(|text| Axis::parse(text).unwrap())
                .into(),
            seeds: vec![4],
        };
        let settings = Settings::new("x.van".into(), grid, Default::default());
        std::fs::write(folder::settings(dir), settings.to_text().unwrap()).unwrap();
        let runs = settings.grid.runs();
        let numbers = Numbers {
            epochs: 3,
            train_loss: Some(0.1 + 0.2),
            test_accuracy: 1.0,
            best_epoch: 2,
            seconds: 7.0,
            ..Numbers::default()
        };
        let failed = "no \"b\", sorry".into();
        let outcomes = [Outcome::Done(numbers), Outcome::Failed { error: failed }];
        for (run, outcome) in runs.iter().zip(outcomes) {
            let dir = folder::run(dir, &run.name);
            std::fs::create_dir_all(&dir).unwrap();
            outcome.write(&dir).unwrap();
        }
        runs
    }

    #[test]
    fn the_table_has_a_row_a_run() {
        let dir = tempfile::tempdir().unwrap();
        let runs = sweep(dir.path());
        let tally = write(dir.path()).unwrap();
        assert_eq!((tally.done, tally.failed, tally.missing), (1, 1, 2));
        let table = std::fs::read_to_string(results_csv(dir.path())).unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[0],
            "run,axis_epochs,policy,seed,status,epochs,train_loss,train_accuracy,test_loss,\
             test_accuracy,best_test_accuracy,best_epoch,alpha_residual,error"
        );
        let run = |i: usize| format!("\"runs/{}\"", runs[i].name);
        assert_eq!(
            lines[1],
            format!(
                "{},1,resnet,4,done,3,0.30000000000000004,,0.0,1.0,0.0,2,,",
                run(0)
            )
        );
        assert_eq!(
            lines[2],
            format!(
                "{},1,\"f(a: 1, b: 2)\",4,failed,,,,,,,,,\"no \"\"b\"\", sorry\"",
                run(1)
            )
        );
        assert_eq!(lines[3], format!("{},2,resnet,4,missing,,,,,,,,,", run(2)));
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn the_objects_say_the_same_and_the_seconds() {
        let dir = tempfile::tempdir().unwrap();
        sweep(dir.path());
        write(dir.path()).unwrap();
        let text = std::fs::read_to_string(results_jsonl(dir.path())).unwrap();
        let objects: Vec<Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(objects.len(), 4);
        assert_eq!(
            objects[0]["axes"],
            json!({"epochs": "1", "policy": "resnet"})
        );
        assert_eq!(
            (&objects[0]["seconds"], &objects[0]["epochs"]),
            (&json!(7.0), &json!(3))
        );
        assert_eq!(objects[1]["error"], "no \"b\", sorry");
        assert_eq!(
            (&objects[2]["status"], &objects[2]["seed"]),
            (&json!("missing"), &json!(4))
        );
    }

    #[test]
    fn a_spreadsheet_takes_no_cell_for_a_formula() {
        let written = |cells: &[&str]| line(cells.iter().map(ToString::to_string));
        assert_eq!(written(&["-1.5", "+2e3", "a"]), "-1.5,+2e3,a\n");
        assert_eq!(
            written(&["=1+1", "@x", "-y", "+z,\"q\""]),
            "'=1+1,'@x,'-y,\"'+z,\"\"q\"\"\"\n"
        );
        assert_eq!(written(&["a\nb\u{1b}"]), "a\\nb\\u{1b}\n");
    }
}
