//! Tests of `vanc sweep` as it is typed: grids, failures, shards, scripts, and kills.

mod grid;
#[cfg(unix)]
mod kills;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::{TempDir, tempdir};

/// A network that trains for a moment.
const SOURCE: &str = "
param depth: int = 1 in 1..=9
param policy: skip = variable

model small {
    input image(1, 28, 28)
    linear(8)
    repeat depth { skip policy { linear(8) batch_norm relu } }
    linear(10)
}

train {
    data: synthetic(train: 120, test: 50)
    optimizer: sgd(rate: 0.002, momentum: 0.9)
    epochs: 4
    batch: 8
    seed: 7
}
";

/// A folder with the file and its sweeps.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        std::fs::write(dir.path().join("small.van"), SOURCE).unwrap();
        Scratch(dir)
    }

    fn join(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vanc"));
        command
            .args(["sweep", "small.van", "--threads", "2"])
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Output of a sweep that must end well.
    fn succeed(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let said = text(&output.stdout);
        assert!(output.status.success(), "{said}{}", text(&output.stderr));
        said
    }

    /// Message of a sweep that must end with exit code 1.
    fn fail(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        text(&output.stderr)
    }

    fn results(&self, sweep: &str) -> String {
        std::fs::read_to_string(self.join(sweep).join("results.csv")).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Lists the names of the runs in a sweep's folder.
fn runs(sweep: &Path) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(sweep.join("runs")) else {
        return Vec::new();
    };
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Counts how often runs were begun or resumed.
fn sessions(sweep: &Path) -> usize {
    let logs = runs(sweep).into_iter().map(|run| {
        let log = sweep.join("runs").join(run).join("log.txt");
        std::fs::read_to_string(log)
            .unwrap()
            .matches("  network ")
            .count()
    });
    logs.sum()
}
