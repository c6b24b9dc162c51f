//! Helpers of the report tests: a sweep of tiny networks, made once.

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
    constraint: lagrange(every: epoch, alpha_rate: 1, lambda_rate: 0.1)
    epochs: 3
    batch: 16
}
";

/// Error message of the failed run.
pub const COMPLAINT: &str = "the loss is NaN in step 12, <b>sadly</b>";

/// Runs the program.
pub fn vanc<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vanc"))
        .args(args)
        .env_remove("VANC_DATA")
        .output()
        .expect("the program starts")
}

/// Output of a run that must succeed.
pub fn succeed<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> String {
    let output = vanc(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error of a run that must fail.
pub fn fail<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> String {
    let output = vanc(args);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Folder of a sweep of `n` and `policy` with two seeds. Of its eight runs, the last but one
/// failed and the last is missing.
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

/// Makes a copy of the sweep, which a test may change.
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

/// Folder of a run of the sweep.
pub fn run(sweep: &Path, n: &str, policy: &str, seed: u64) -> PathBuf {
    sweep.join(format!("runs/n={n},policy={policy},seed={seed}"))
}

/// Makes the sweep, and changes it so that its last two runs have not ended well.
fn make(dir: &Path) {
    let file = dir.join("tiny.van");
    std::fs::write(&file, SOURCE).expect("written");
    let args = [
        "sweep",
        "--vary",
        "n=3,1",
        "--vary",
        "policy=plain,variable",
    ];
    let mut args: Vec<&std::ffi::OsStr> = args.map(AsRef::as_ref).into();
    args.extend(
        ["--seeds", "2", "--rate", "0.01", "--quiet", "--out"]
            .map(AsRef::<std::ffi::OsStr>::as_ref),
    );
    args.extend([dir.as_os_str(), file.as_os_str()]);
    succeed(&args);
    let path = dir.join("results.jsonl");
    let text = std::fs::read_to_string(&path).expect("results");
    let mut rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(rows.len(), 8);
    for (row, status) in rows[6..].iter_mut().zip(["failed", "missing"]) {
        let numbers = [
            "epochs",
            "train_accuracy",
            "test_accuracy",
            "best_test_accuracy",
        ];
        for key in numbers.into_iter().chain(["alpha_residual", "seconds"]) {
            row[key] = Value::Null;
        }
        row["status"] = json!(status);
        let folder = row["run"].as_str().expect("a folder");
        std::fs::remove_dir_all(dir.join(folder)).expect("removed");
    }
    rows[6]["error"] = json!(COMPLAINT);
    let lines: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(path, lines.concat()).expect("written");
}
