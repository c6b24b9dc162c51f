//! A sweep of tiny networks, made once.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

const SOURCE: &str = "
param n: int = 1 in 1..=9
param policy: skip = variable

model tiny {
    input image(1, 28, 28)
    stem: linear(8)
    blocks: repeat n { skip policy { batch_norm relu linear(8) } }
    fc: linear(10)
}

train {
    data: synthetic(train: 96, test: 32)
    optimizer: sgd(rate: 0.01, momentum: 0.9)
    constraint: lagrange(every: epoch, alpha_rate: 1)
    epochs: 3
    batch: 16
}
";

/// The values of `n`, unsorted, and the policies.
pub const DEPTHS: [&str; 2] = ["3", "1"];
pub const POLICIES: [&str; 2] = ["plain", "variable"];
/// What the failed run said.
pub const COMPLAINT: &str = "the loss is NaN in step 12, <b>sadly</b>";

/// Runs the program.
pub fn vanc<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vanc"))
        .args(args)
        .env_remove("VANC_DATA")
        .output()
        .expect("the program starts")
}

/// The output of a run that must succeed.
pub fn succeed<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> String {
    let output = vanc(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a run that must fail says.
pub fn fail<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> String {
    let output = vanc(args);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The folder of a sweep of `n` and `policy` with two seeds. Of its eight runs the last
/// but one failed and the last is missing.
pub fn sweep() -> &'static Path {
    static SWEEP: OnceLock<TempDir> = OnceLock::new();
    SWEEP
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("a folder");
            make(folder.path());
            folder
        })
        .path()
}

/// A copy of the sweep that a test may change.
pub fn copy() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy_into(sweep(), folder.path());
    folder
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&there).expect("made");
            copy_into(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).expect("copied");
        }
    }
}

/// The folder of a run of the sweep.
pub fn run(sweep: &Path, n: &str, policy: &str, seed: u64) -> PathBuf {
    sweep.join(name(n, policy, seed))
}

fn name(n: &str, policy: &str, seed: u64) -> String {
    format!("runs/n={n},policy={policy},seed={seed}")
}

fn make(dir: &Path) {
    std::fs::write(dir.join("tiny.van"), SOURCE).expect("written");
    let settings = json!({
        "version": 1,
        "file": "tiny.van",
        "axes": [
            { "name": "n", "values": DEPTHS },
            { "name": "policy", "values": POLICIES },
        ],
        "seeds": [0, 1],
        "options": { "rate": "0.01" },
    });
    std::fs::write(dir.join("sweep.json"), settings.to_string()).expect("written");
    let mut results = String::new();
    for n in DEPTHS {
        for policy in POLICIES {
            for seed in [0, 1] {
                let last = (n, policy) == (DEPTHS[1], POLICIES[1]);
                let row = match (last, seed) {
                    (true, 0) => failed(n, policy, seed),
                    (true, _) => missing(n, policy, seed),
                    (false, _) => done(dir, n, policy, seed),
                };
                results.push_str(&format!("{row}\n"));
            }
        }
    }
    std::fs::write(dir.join("results.jsonl"), results).expect("written");
}

fn row(n: &str, policy: &str, seed: u64, status: &str) -> Value {
    json!({
        "run": name(n, policy, seed),
        "axes": { "n": n, "policy": policy },
        "seed": seed,
        "status": status,
        "epochs": null,
        "train_loss": null,
        "train_accuracy": null,
        "test_loss": null,
        "test_accuracy": null,
        "best_test_accuracy": null,
        "best_epoch": null,
        "alpha_residual": null,
        "error": null,
        "seconds": null,
    })
}

fn missing(n: &str, policy: &str, seed: u64) -> Value {
    row(n, policy, seed, "missing")
}

fn failed(n: &str, policy: &str, seed: u64) -> Value {
    let mut row = row(n, policy, seed, "failed");
    row["error"] = json!(COMPLAINT);
    row
}

fn done(dir: &Path, n: &str, policy: &str, seed: u64) -> Value {
    let out = run(dir, n, policy, seed);
    let file = dir.join("tiny.van");
    let (seed_text, out_text) = (seed.to_string(), out.display().to_string());
    let file = file.display().to_string();
    let args = ["train", &file, "--quiet", "--threads", "1", "--n", n];
    let more = ["--policy", policy, "--seed", &seed_text, "--out", &out_text];
    succeed(&[args.as_slice(), more.as_slice()].concat());
    let log = std::fs::read_to_string(out.join("metrics.jsonl")).expect("a log");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let of = |split: &str| {
        lines
            .iter()
            .rfind(|line| line["split"] == split)
            .expect("a line")
    };
    let (train, test) = (of("train"), of("test"));
    let accuracy = |line: &&Value| line["accuracy"].as_f64().expect("a number");
    let tests = lines.iter().filter(|line| line["split"] == "test");
    let best = tests
        .max_by(|a, b| accuracy(a).total_cmp(&accuracy(b)))
        .expect("a test");
    let mut row = row(n, policy, seed, "done");
    row["epochs"] = test["epoch"].clone();
    row["train_accuracy"] = train["epoch_accuracy"].clone();
    row["test_accuracy"] = test["accuracy"].clone();
    row["best_test_accuracy"] = best["accuracy"].clone();
    row["alpha_residual"] = test["alpha_residual"].clone();
    row["seconds"] = test["seconds"].clone();
    row
}
