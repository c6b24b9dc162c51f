//! Tests of the rates that follow from the length of a training, when that is resumed.

use crate::support::{last, log};
use std::path::Path;
use std::process::{Command, Output};
use tempfile::{TempDir, tempdir};
use vanc::train::checkpoint::Checkpoint;
use vanc::train::run_folder;

/// A network with skips that vanish, for 4 epochs of 4 steps.
const SOURCE: &str = "
model fading {
    input image(1, 28, 28)
    linear(8)
    repeat 2 {
        skip variable {
            linear(8)
            tanh
        }
    }
    linear(10)
}

train {
    data: synthetic(train: 60, test: 20)
    optimizer: sgd(rate: 0.05, momentum: 0.9)
    schedule: SCHEDULE
    constraint: CONSTRAINT
    epochs: 4
    batch: 16
}
";

/// Default constraint, as it may be written.
const TIMED: &str = "lagrange(fade: 0.5, pull: 0.1)";
/// Constraint without a time.
const GIVEN: &str = "lagrange(alpha_rate: 0.1, lambda_rate: 0.1)";

/// A folder with the file and its runs.
struct Scratch(TempDir);

impl Scratch {
    fn new(schedule: &str, constraint: &str) -> Scratch {
        let scratch = Scratch(tempdir().unwrap());
        let text = SOURCE.replace("SCHEDULE", schedule);
        let text = text.replace("CONSTRAINT", constraint);
        std::fs::write(scratch.path().join("fading.van"), text).unwrap();
        scratch
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn vanc(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args(args)
            .args(["--threads", "1", "--device", "cpu"])
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// Trains into the folder `run`, with `flags`; returns what is printed.
    fn train(&self, run: &str, flags: &[&str]) -> String {
        let args = ["train", "fading.van", "--out", run];
        let output = self.vanc(&[&args, flags].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{flags:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Tries the same, which is refused; returns why.
    fn refusal(&self, run: &str, flags: &[&str]) -> String {
        let args = ["train", "fading.van", "--out", run];
        let output = self.vanc(&[&args, flags].concat());
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn config(&self, run: &str) -> serde_json::Value {
        let text = std::fs::read(run_folder::config(&self.path().join(run))).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Learning rates of the steps that were logged.
    fn rates(&self, run: &str) -> Vec<f64> {
        let lines = log(&self.path().join(run)).into_iter();
        let lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap());
        let lines = lines.filter(|line| line["split"] == "train");
        lines.map(|line| line["rate"].as_f64().unwrap()).collect()
    }
}

#[test]
fn settings_say_the_rates_that_follow_and_the_optimizer() {
    let scratch = Scratch::new("constant", TIMED);
    scratch.train("run", &["--max-steps", "1"]);
    let train = &scratch.config("run")["train"];
    assert_eq!(train["optimizer"]["name"], "sgd");
    let constraint = &train["constraint"];
    assert_eq!(
        (&constraint["fade"], &constraint["pull"]),
        (&0.5.into(), &0.1.into())
    );
    // Half of 16 steps at 0.05.
    let turn = std::f64::consts::FRAC_PI_2 / (8.0 * 0.05);
    assert!((constraint["alpha_rate"].as_f64().unwrap() - turn / 0.1).abs() < 1e-9);
    assert!((constraint["lambda_rate"].as_f64().unwrap() - turn * 0.1).abs() < 1e-9);
}

#[test]
fn a_run_in_parts_fades_as_a_whole_one() {
    for every in ["step", "epoch"] {
        let constraint = format!("lagrange(fade: 0.7, pull: 0.2, every: {every})");
        let scratch = Scratch::new("cosine", &constraint);
        scratch.train("whole", &[]);
        for steps in ["3", "7", "8", "13"] {
            scratch.train("parts", &["--resume", "--max-steps", steps]);
        }
        scratch.train("parts", &["--resume"]);
        let [whole, parts] = ["whole", "parts"].map(|run| last(&scratch.path().join(run)));
        assert_eq!(whole.tensors, parts.tensors, "every {every}");
        let is_alpha = |name: &str| name.ends_with(".alpha") && !name.contains('/');
        let alpha = whole.tensors.iter().find(|t| is_alpha(&t.name));
        let alpha = &alpha.unwrap().data;
        assert!(alpha.iter().any(|&a| a > 0.0), "every {every}: {alpha:?}");
    }
}

#[test]
fn other_epochs_do_not_stretch_a_schedule_in_silence() {
    let scratch = Scratch::new("cosine", GIVEN);
    scratch.train("run", &["--log-every", "1"]);
    let more = ["--resume", "--epochs", "8", "--log-every", "1"];
    let before = std::fs::read(run_folder::config(&scratch.path().join("run"))).unwrap();
    insta::assert_snapshot!(scratch.refusal("run", &more));
    let after = std::fs::read(run_folder::config(&scratch.path().join("run"))).unwrap();
    assert_eq!(before, after);
    scratch.train("run", &[&more[..], &["--reschedule"]].concat());
    assert_eq!(scratch.config("run")["train"]["epochs"], 8);
    // What was done stays, what is left is the second half of the longer curve.
    scratch.train("long", &["--epochs", "8", "--log-every", "1"]);
    let (rates, long) = (scratch.rates("run"), scratch.rates("long"));
    assert_eq!(rates.len(), 32);
    assert!(rates[15] < 1e-3 && rates[..16] != long[..16]);
    assert_eq!(rates[16..], long[16..]);
    // From now on it is a run of 8 epochs.
    scratch.train("run", &more);
}

#[test]
fn other_epochs_do_not_stretch_the_fading_in_silence() {
    let scratch = Scratch::new("constant", TIMED);
    scratch.train("run", &["--max-steps", "6"]);
    let more = ["--resume", "--epochs", "8"];
    insta::assert_snapshot!(scratch.refusal("run", &more));
    scratch.train("run", &[&more[..], &["--reschedule"]].concat());
    scratch.train("long", &["--epochs", "8", "--max-steps", "1"]);
    let [run, long] = ["run", "long"].map(|run| scratch.config(run)["train"].clone());
    assert_eq!(run["constraint"], long["constraint"]);
}

#[test]
fn a_schedule_under_way_is_not_stretched_in_silence() {
    let scratch = Scratch::new("cosine", GIVEN);
    scratch.train("run", &["--max-steps", "6"]);
    insta::assert_snapshot!(scratch.refusal("run", &["--resume", "--epochs", "5"]));
}

#[test]
fn rates_without_a_length_stay_as_they_are() {
    for schedule in ["constant", "step(at: [1, 6], factor: 0.5)"] {
        let scratch = Scratch::new(schedule, GIVEN);
        scratch.train("run", &[]);
        scratch.train("run", &["--resume", "--epochs", "8"]);
        scratch.train("long", &["--epochs", "8"]);
        let [run, long] = ["run", "long"].map(|run| last(&scratch.path().join(run)));
        assert_eq!(run.tensors, long.tensors, "{schedule}");
    }
}

#[test]
fn rescheduling_is_of_a_run_that_goes_on() {
    let scratch = Scratch::new("cosine", TIMED);
    let refusal = scratch.refusal("run", &["--reschedule"]);
    assert!(refusal.contains("--resume"), "{refusal}");
}

#[test]
fn skips_that_vanish_at_once_or_never_are_remarked() {
    let scratch = Scratch::new("constant", TIMED);
    let literal = "lagrange(alpha_rate: 100, lambda_rate: 0.1)";
    let said = scratch.train("early", &["--epochs", "20", "--constraint", literal]);
    let note = |said: &str| {
        let lines = said.lines().take_while(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(note(&said));
    let slow = "lagrange(alpha_rate: 0.1, lambda_rate: 0.1)";
    insta::assert_snapshot!(note(&scratch.train("late", &["--constraint", slow])));
    assert_eq!(note(&scratch.train("sound", &["--max-steps", "2"])), "");
}

/// Checks that a checkpoint whose file gives one rate, as version 0.1 allowed, is evaluated.
#[test]
fn a_checkpoint_with_one_rate_still_evaluates() {
    let both = "lagrange(alpha_rate: 0.3, lambda_rate: 0.1, alpha_granularity: unit)";
    let scratch = Scratch::new("constant", both);
    scratch.train("run", &[]);
    let eval = || {
        let output = scratch.vanc(&["eval", "run", "--format", "json"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        output.stdout
    };
    let before = eval();
    let path = run_folder::last(&scratch.path().join("run"));
    let best = run_folder::best(&scratch.path().join("run"));
    for path in [path, best] {
        let mut checkpoint = Checkpoint::read(&path).unwrap();
        let source = checkpoint.meta.source.replace("lambda_rate: 0.1, ", "");
        assert_ne!(source, checkpoint.meta.source);
        checkpoint.meta.source = source;
        checkpoint.write(&path).unwrap();
    }
    assert_eq!(eval(), before);
}

#[test]
fn a_check_remarks_what_a_training_would() {
    let scratch = Scratch::new("constant", "lagrange(alpha_rate: 0.1, lambda_rate: 0.1)");
    let check = || {
        let output = Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args(["check", "fading.van"])
            .current_dir(scratch.path())
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(check().contains("\nnote: even where"), "{}", check());
    let path = scratch.path().join("fading.van");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("skip variable", "skip resnet")).unwrap();
    assert!(!check().contains("note"), "{}", check());
}
