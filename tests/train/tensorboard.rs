//! Tests of event files, read back by TensorBoard.

#[path = "../needs/mod.rs"]
mod needs;

use crate::needs::{Need, case};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::tempdir;
use vanc::train::metrics::{self, Line, SkipLine, Split};
use vanc::train::run_folder;
use vanc::train::tensorboard::path;

const SOURCE: &str = "
param policy: skip = variable

model small {
    input image(1, 28, 28)
    linear(8)
    skip policy { linear(8) relu }
    linear(10)
}

train {
    data: synthetic(train: 60, test: 30)
    constraint: lagrange(alpha_rate: 1, lambda_rate: 0.1)
    epochs: 3
    batch: 16
}
";

fn train(dir: &Path, flags: &[&str]) -> Output {
    std::fs::write(dir.join("small.van"), SOURCE).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vanc"))
        .args(["train", "small.van", "--out", "run", "--log-every", "1"])
        .args(flags)
        .current_dir(dir)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    output
}

/// Finds a Python that has TensorBoard: `VANC_PYTHON`, else `python3`.
fn python() -> Option<String> {
    let python = std::env::var("VANC_PYTHON").unwrap_or("python3".into());
    let has_it = Command::new(&python)
        .args(["-c", "import tensorboard"])
        .output();
    has_it.is_ok_and(|o| o.status.success()).then_some(python)
}

type Scalars = BTreeMap<String, Vec<(u64, f32)>>;

/// Reads the event files of a run with TensorBoard.
fn read(python: &str, run: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/train/read_events.py");
    let output = Command::new(python).arg(script).arg(run).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["first"].as_f64().unwrap() > 1.7e9);
    json
}

fn scalars(events: &Value) -> Scalars {
    serde_json::from_value(events["scalars"].clone()).unwrap()
}

/// Scalars that the log contains.
fn expected(lines: &[Line]) -> Scalars {
    let curve = |split: Split, value: &dyn Fn(&Line) -> Option<f64>| {
        let lines = lines.iter().filter(|line| line.split == split);
        let points = lines.map(|line| (line.step, value(line).unwrap() as f32));
        points.collect::<Vec<_>>()
    };
    let (train, test) = (Split::Train, Split::Test);
    let skip = |value: &dyn Fn(&SkipLine) -> f64| {
        let lines = lines.iter().filter(|line| line.split == train);
        let points = lines.filter_map(|line| Some((line.step, value(&line.skips.as_ref()?[0]))));
        points.map(|(step, value)| (step, value as f32)).collect()
    };
    [
        ("loss/train", curve(train, &|l| Some(l.loss))),
        ("loss/test", curve(test, &|l| Some(l.loss))),
        ("accuracy/train", curve(train, &|l| Some(l.accuracy))),
        ("accuracy/test", curve(test, &|l| Some(l.accuracy))),
        ("learning_rate", curve(train, &|l| Some(l.rate))),
        ("alpha_residual", curve(train, &|l| l.alpha_residual)),
        ("lambda_mean", curve(train, &|l| l.lambda_mean)),
        ("alpha/skip0", skip(&|s| s.alpha_mean)),
        ("lambda/skip0", skip(&|s| s.lambda_mean)),
    ]
    .map(|(tag, points)| (tag.to_string(), points))
    .into()
}

/// TensorBoard sees every point of the log once, for the run in one go, in two, in two of
/// which one lacks the flag, and with the flag only at the end.
fn tensorboard_reads_what_the_log_says() {
    let python = python().expect("a Python with TensorBoard");
    let runs: [&[&[&str]]; 4] = [
        &[&["--tensorboard"]],
        &[
            &["--tensorboard", "--max-steps", "6"],
            &["--tensorboard", "--resume"],
        ],
        &[&["--tensorboard", "--max-steps", "6"], &["--resume"]],
        &[&["--max-steps", "6"], &["--resume", "--tensorboard"]],
    ];
    for sessions in runs {
        let dir = tempdir().unwrap();
        sessions
            .iter()
            .for_each(|flags| drop(train(dir.path(), flags)));
        let run = dir.path().join("run");
        let lines = metrics::read(&run_folder::metrics(&run)).unwrap();
        assert!(lines.len() >= 15, "{sessions:?}");
        let events = read(&python, &run);
        assert_eq!(scalars(&events), expected(&lines), "{sessions:?}");
        assert_preface(&events);
    }
}

/// Asserts that the plugins see the settings, the source and the first images.
fn assert_preface(events: &Value) {
    let hparams = &events["hparams"];
    for (name, value) in [
        ("policy", json!("variable")),
        ("batch", json!(16.0)),
        ("optimizer.nesterov", json!(false)),
        ("schedule", json!("constant")),
    ] {
        assert_eq!(hparams[name], value, "{hparams:#}");
    }
    let names = hparams.as_object().unwrap().keys();
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(events["names"], json!(names));
    assert_eq!(events["results"], json!(["accuracy/test", "loss/test"]));
    let source = events["source"].as_str().unwrap();
    assert!(source.contains("    model small {\n"), "{source}");
    // Seven images on a side, of 28 pixels.
    assert_eq!(
        events["images"],
        json!([
            ["images/first", 196, 196, "89504e47"],
            ["confusion", 240, 240, "89504e47"]
        ])
    );
}

fn a_new_run_drops_the_events_of_the_old_one() {
    let dir = tempdir().unwrap();
    let events = path(&dir.path().join("run"));
    train(dir.path(), &[]);
    assert!(!events.exists());
    train(dir.path(), &["--force", "--tensorboard"]);
    let length = events.metadata().unwrap().len();
    train(dir.path(), &["--force", "--tensorboard"]);
    assert_eq!(events.metadata().unwrap().len(), length);
    train(dir.path(), &["--force"]);
    assert!(!events.exists());
}

fn main() -> std::process::ExitCode {
    let reader: Need = python()
        .map(|_| ())
        .ok_or("a Python with TensorBoard, named by VANC_PYTHON".into());
    needs::run(vec![
        case(
            "tensorboard_reads_what_the_log_says",
            &reader,
            tensorboard_reads_what_the_log_says,
        ),
        case(
            "a_new_run_drops_the_events_of_the_old_one",
            &Ok(()),
            a_new_run_drops_the_events_of_the_old_one,
        ),
    ])
}
