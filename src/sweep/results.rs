//! `results.csv` and `results.jsonl`: a row a run, in the grid's order.

use super::folder::{self, alone};
use super::grid::Run;
use super::outcome::{Numbers, Outcome};
use super::settings::Settings;
use crate::error::Result;
use crate::files::write_atomic;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The columns of the table after those of the axes. Nothing here may differ when a
/// sweep is repeated.
const COLUMNS: [&str; 11] = [
    "seed",
    "status",
    "epochs",
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "best_test_accuracy",
    "best_epoch",
    "alpha_residual",
    "error",
];

/// The first column: the run's folder, below the sweep's.
const RUN: &str = "run";

/// The table, as comma-separated values (RFC 4180).
pub fn csv(dir: &Path) -> PathBuf {
    dir.join("results.csv")
}

/// The same as JSON, an object a line.
pub fn jsonl(dir: &Path) -> PathBuf {
    dir.join("results.jsonl")
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It came to its end.
    Done,
    /// It ended in an error.
    Failed,
    /// It has not come to its end yet.
    Missing,
}

impl Status {
    /// The word for it.
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
    /// Those that are done.
    pub done: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that have not ended.
    pub missing: usize,
}

/// Writes both files from what is in the sweep's folder `dir`: its settings, and the
/// outcomes of all its runs, whichever sweep's they were.
pub fn write(dir: &Path) -> Result<Tally> {
    alone(dir, || {
        let settings = Settings::read(&folder::settings(dir))?;
        let head = settings.grid.axes.iter().map(|axis| column(&axis.name));
        let head = [RUN.to_string()]
            .into_iter()
            .chain(head)
            .chain(COLUMNS.map(String::from));
        let mut table = line(head);
        let mut objects = String::new();
        let mut tally = Tally::default();
        for run in settings.grid.runs() {
            let outcome = Outcome::read(&folder::run(dir, &run.name));
            match &outcome {
                Some(Outcome::Done(_)) => tally.done += 1,
                Some(Outcome::Failed { .. }) => tally.failed += 1,
                None => tally.missing += 1,
            }
            let object = object(&settings, &run, outcome);
            table.push_str(&row(&object, &run));
            objects.push_str(&format!("{}\n", Value::Object(object)));
        }
        write_atomic(&csv(dir), table.as_bytes())?;
        write_atomic(&jsonl(dir), objects.as_bytes())?;
        Ok(tally)
    })
}

/// The column of an axis. One that is called like another column, such as `epochs`,
/// gets another name.
fn column(axis: &str) -> String {
    match axis == RUN || COLUMNS.contains(&axis) {
        true => format!("axis_{axis}"),
        false => axis.into(),
    }
}

/// A run's line of `results.jsonl`; what a run does not have is null.
fn object(settings: &Settings, run: &Run, outcome: Option<Outcome>) -> Map<String, Value> {
    let axes = settings.grid.axes.iter().zip(&run.values);
    let axes: Map<_, _> = axes
        .map(|(axis, value)| (axis.name.clone(), json!(value)))
        .collect();
    let (status, numbers, error) = match outcome {
        Some(Outcome::Done(numbers)) => (Status::Done, Some(numbers), None),
        Some(Outcome::Failed { error }) => (Status::Failed, None, Some(error)),
        None => (Status::Missing, None, None),
    };
    let of = |value: fn(&Numbers) -> Value| numbers.as_ref().map_or(Value::Null, value);
    let pairs = [
        (RUN, json!(format!("runs/{}", run.name))),
        ("axes", Value::Object(axes)),
        ("seed", json!(run.seed)),
        ("status", json!(status.name())),
        ("epochs", of(|n| json!(n.epochs))),
        ("train_loss", of(|n| json!(n.train_loss))),
        ("train_accuracy", of(|n| json!(n.train_accuracy))),
        ("test_loss", of(|n| json!(n.test_loss))),
        ("test_accuracy", of(|n| json!(n.test_accuracy))),
        ("best_test_accuracy", of(|n| json!(n.best_test_accuracy))),
        ("best_epoch", of(|n| json!(n.best_epoch))),
        ("alpha_residual", of(|n| json!(n.alpha_residual))),
        ("error", json!(error)),
        ("seconds", of(|n| json!(n.seconds))),
    ];
    pairs
        .map(|(key, value)| (key.to_string(), value))
        .into_iter()
        .collect()
}

/// A run's line of `results.csv`, from its line of `results.jsonl`.
fn row(object: &Map<String, Value>, run: &Run) -> String {
    let cell = |key: &str| match object.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let others = COLUMNS.iter().map(|key| cell(key));
    line(
        [cell(RUN)]
            .into_iter()
            .chain(run.values.iter().cloned())
            .chain(others),
    )
}

/// A line of a table; cells with a comma, a quote or a line break are quoted.
fn line(cells: impl Iterator<Item = String>) -> String {
    let quoted = cells.map(|cell| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::grid::{Axis, Grid};
    use super::*;

    /// A sweep with a run of every kind.
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
        let table = std::fs::read_to_string(csv(dir.path())).unwrap();
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
        let text = std::fs::read_to_string(jsonl(dir.path())).unwrap();
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
}
