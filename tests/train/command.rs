//! Tests of `vanc train` and `vanc eval` as a whole, with the reference engine.

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::tempdir;
use vanc::check::{self, Override};
use vanc::cli::eval;
use vanc::diag::Sources;
use vanc::error::Error;
use vanc::flags::{Options, Order, Split, Which};
use vanc::ir::Model;
use vanc::train::checkpoint::Checkpoint;
use vanc::train::device::use_threads;
use vanc::train::metrics;
use vanc::train::run_folder;
use vanc::train::session::Ending;
use vanc::train::setup::Setup;

const SOURCE: &str = "
param width: int = 8 in 1..=64

model small {
    input image(1, 28, 28)
    linear(width)
    skip variable { linear(width) relu dropout(0.2) }
    linear(10)
}

train {
    data: synthetic(train: 60, test: 30)
    optimizer: sgd(rate: 0.05, momentum: 0.9)
    schedule: cosine(warmup: 1)
    epochs: 2
    batch: 16
}
";

/// Checks `source` under the params and settings of `options`.
fn model(source: &str, options: &Options) -> Model {
    let overrides = Override::list(&options.overrides);
    check::check(&mut Sources::new("small.van", source), &overrides, true).unwrap()
}

fn options(out: &Path) -> Options {
    Options {
        out: Some(out.to_owned()),
        quiet: true,
        ..Options::new("small.van")
    }
}

fn run(options: &Options) -> Result<Ending, Error> {
    Setup::new(SOURCE, &model(SOURCE, options), options)?.run()
}

fn settings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs.map(|(a, b)| (a.to_string(), b.to_string())).collect()
}

fn evaluation(target: PathBuf) -> eval::Options {
    eval::Options {
        target,
        which: Which::Last,
        data: None,
        data_dir: None,
        batch: None,
        split: Split::Test,
        memory: None,
        on: Default::default(),
    }
}

/// Checkpoint and log of a run, without seconds.
fn outcome(dir: &Path) -> (Checkpoint, Vec<String>) {
    (crate::support::last(dir), crate::support::log(dir))
}

#[test]
fn a_run_leaves_what_it_takes_to_repeat_it() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("run");
    let mut options = options(&out);
    options.overrides.params = settings(&[("width", "6")]);
    options.overrides.settings = settings(&[("seed", "3")]);
    options.order = Order::Sequential;
    assert_eq!(run(&options).unwrap(), Ending::Finished);
    assert_eq!(fs::read_to_string(out.join("model.van")).unwrap(), SOURCE);
    let config = fs::read(out.join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["params"]["width"], 6);
    assert_eq!(config["train"]["seed"], 3);
    assert_eq!(config["train"]["optimizer"]["momentum"], 0.9);
    assert_eq!(config["order"], "sequential");
    assert_eq!(
        config["command"],
        "vanc train small.van --width 6 --seed 3 --order sequential"
    );
    let lines = metrics::read(&run_folder::metrics(&out)).unwrap();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0].skips.as_ref().unwrap()[0].path, "skip0");
    // Again, elsewhere: the same to the last bit.
    let again = dir.path().join("again");
    options.out = Some(again.clone());
    run(&options).unwrap();
    assert_eq!(outcome(&again), outcome(&out));
}

#[test]
fn eval_agrees_with_the_log_from_the_checkpoint_alone() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("run");
    let mut options = options(&out);
    options.overrides.params = settings(&[("width", "6")]);
    run(&options).unwrap();
    let lines = metrics::read(&run_folder::metrics(&out)).unwrap();
    let tested = lines.last().unwrap();
    let alone = dir.path().join("alone.safetensors");
    fs::copy(run_folder::last(&out), &alone).unwrap();
    for target in [out.clone(), alone] {
        let report = eval::run(&evaluation(target)).unwrap();
        assert_eq!(report.sums.accuracy(), tested.accuracy);
        assert_eq!(report.sums.mean_loss(), tested.loss);
        let json = report.to_json();
        assert_eq!(json["images"], 30);
        assert_eq!(report.warning, None);
        assert_eq!(json["confusion"].as_array().unwrap().len(), 10);
        assert!(report.to_text(false, None).contains("accuracy"));
    }
    let mut on_train = evaluation(out.clone());
    (on_train.split, on_train.batch) = (Split::Train, Some(7));
    assert_eq!(eval::run(&on_train).unwrap().sums.images, 60);
    let mut other = evaluation(out.clone());
    other.data = Some("synthetic(train: 70, test: 30)".into());
    let warning = eval::run(&other).unwrap().warning.unwrap();
    assert!(
        warning.contains("70 training images, there were 60"),
        "{warning}"
    );
    let mut small = evaluation(out.clone());
    small.memory = Some(1000);
    let error = eval::run(&small).unwrap_err();
    assert!(error.message.contains("with a batch of"), "{error}");
    let mut best = evaluation(out);
    best.which = Which::Best;
    assert!(eval::run(&best).unwrap().path.ends_with("best.safetensors"));
}

#[test]
fn resuming_with_the_reference_engine_is_exact() {
    let dir = tempdir().unwrap();
    let whole = dir.path().join("whole");
    run(&options(&whole)).unwrap();
    // Stopped in the middle of the second epoch, of four steps.
    let parts = dir.path().join("parts");
    let mut options = options(&parts);
    options.resume = true;
    options.max_steps = Some(6);
    run(&options).unwrap();
    options.max_steps = None;
    run(&options).unwrap();
    let ((a, a_log), (b, b_log)) = (outcome(&whole), outcome(&parts));
    assert_eq!(a.tensors, b.tensors);
    assert_eq!(a_log.last(), b_log.last());
}

#[test]
fn what_may_not_change_is_named() {
    let dir = tempdir().unwrap();
    let mut begun = options(dir.path());
    begun.overrides.settings = settings(&[("epochs", "1")]);
    run(&begun).unwrap();
    begun.resume = true;
    let outcome = |change: &dyn Fn(&mut Options)| {
        let mut options = begun.clone();
        change(&mut options);
        run(&options)
    };
    type Change<'a> = &'a dyn Fn(&mut Options);
    let refused: [(Change, &str); 4] = [
        (
            &|o| o.overrides.params = settings(&[("width", "9")]),
            "width: 8 in the run, 9 by --width",
        ),
        (
            &|o| o.overrides.settings = settings(&[("rate", "0.5")]),
            "optimizer.rate: 0.05 in the run, 0.5 by --rate",
        ),
        (
            &|o| o.order = Order::Sequential,
            "order: shuffled in the run, sequential here",
        ),
        (
            &|o| o.augment = false,
            "augment: true in the run, false here",
        ),
    ];
    for (change, expected) in refused {
        let error = outcome(change).unwrap_err();
        assert!(error.message.contains(expected), "{error}");
        let help = error.help.unwrap();
        assert!(help.contains("vanc train small.van --epochs 1"), "{help}");
    }
    // These may.
    outcome(&|o| o.log_every = Some(1)).unwrap();
    outcome(&|o| {
        o.overrides.settings = settings(&[("epochs", "2")]);
        o.reschedule = true;
    })
    .unwrap();
}

/// Resumes the run in `dir` with a file that `change` makes of its own.
fn resume_with(dir: &Path, change: &dyn Fn(&str) -> String) -> Result<Ending, Error> {
    let source = change(SOURCE);
    let mut options = options(dir);
    options.resume = true;
    Setup::new(&source, &model(&source, &options), &options)?.run()
}

#[test]
fn a_file_that_means_the_same_is_the_same() {
    let dir = tempdir().unwrap();
    run(&options(dir.path())).unwrap();
    let changes: [&dyn Fn(&str) -> String; 5] = [
        &|source| format!("// more\n{source}  // and more\n"),
        &|source| source.replace('\n', "\r\n"),
        &|source| source.replace("0.05", "5e-2"),
        &|source| source.replace("{ linear(width) relu", "{\n linear(width)\n\n relu"),
        // A param that nothing depends on.
        &|source| format!("param spare: int = 3\n{source}"),
    ];
    for change in changes {
        assert_eq!(resume_with(dir.path(), change).unwrap(), Ending::Finished);
    }
}

#[test]
fn what_a_changed_file_changes_is_named() {
    let dir = tempdir().unwrap();
    run(&options(dir.path())).unwrap();
    let said = |from: &str, to: &str| {
        let change = |source: &str| source.replace(from, to);
        let error = resume_with(dir.path(), &change).unwrap_err();
        (error.message, error.help.unwrap())
    };
    for (from, to, expected) in [
        (
            "batch: 16",
            "batch: 8",
            "batch: 16 in the run, 8 in the file",
        ),
        ("= 8 in", "= 9 in", "width: 8 in the run, 9 in the file"),
        (
            "relu dropout(0.2)",
            "relu dropout(0.3)",
            "layer skip0.dropout0: dropout 0.2 in the run, dropout 0.3 in the file",
        ),
        (
            "relu dropout(0.2)",
            "tanh dropout(0.2)",
            "layer 4: skip0.relu0 (relu) in the run, skip0.tanh0 (tanh) in the file",
        ),
        (
            "    linear(10)",
            "    linear(10)\n    linear(10)",
            "layer 7: none in the run, linear2 (linear 10→10) in the file",
        ),
        (
            "model small",
            "model smaller",
            "model: small in the run, smaller in the file",
        ),
    ] {
        let (message, help) = said(from, to);
        assert!(message.contains(expected), "{message}");
        let resume = format!("vanc train --resume {}", dir.path().display());
        assert!(help.contains(&resume), "{help}");
    }
    let (message, help) = said("epochs: 2", "epochs: 5");
    assert!(
        message.contains("epochs: 2 in the file of the run"),
        "{message}"
    );
    assert!(message.contains("5 in the file now"), "{message}");
    assert!(help.contains("--epochs 5"), "{help}");
}

#[test]
fn an_end_that_is_past_is_an_error() {
    let dir = tempdir().unwrap();
    let mut options = options(dir.path());
    run(&options).unwrap();
    options.resume = true;
    let before = fs::read(run_folder::config(dir.path())).unwrap();
    options.overrides.settings = settings(&[("epochs", "1")]);
    let error = run(&options).unwrap_err();
    assert!(
        error.message.contains("has done 2 epochs, and is to do 1"),
        "{error}"
    );
    options.overrides.settings = Vec::new();
    options.max_steps = Some(3);
    let error = run(&options).unwrap_err();
    assert!(
        error.message.contains("has done 8 steps, and is to do 3"),
        "{error}"
    );
    assert_eq!(fs::read(run_folder::config(dir.path())).unwrap(), before);
}

#[test]
fn a_resume_keeps_what_the_start_said_and_notes_itself() {
    let dir = tempdir().unwrap();
    let config = || -> serde_json::Value {
        let text = fs::read(run_folder::config(dir.path())).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let mut begun = options(dir.path());
    begun.log_every = Some(3);
    begun.order = Order::Sequential;
    begun.max_steps = Some(5);
    begun.memory = Some(1 << 30);
    begun.save_every = std::time::Duration::from_millis(1500);
    run(&begun).unwrap();
    let first = config();
    let resumed = Options {
        resume: true,
        ..options(dir.path())
    };
    run(&resumed).unwrap();
    let second = config();
    for key in [
        "command",
        "version",
        "log_every",
        "order",
        "memory",
        "save_every",
    ] {
        assert!(!second[key].is_null(), "{key}");
        assert_eq!(first[key], second[key], "{key}");
    }
    // The limit was reached, so that the run has gone on past it.
    assert_eq!(
        (&first["max_steps"], second["max_steps"].as_u64()),
        (&5.into(), None)
    );
    let sessions = second["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(
        (&sessions[0]["step"], &sessions[1]["step"]),
        (&0.into(), &5.into())
    );
    for session in sessions {
        assert!(
            session["time"].as_str().unwrap().ends_with('Z'),
            "{session}"
        );
        assert_eq!(session["version"], env!("CARGO_PKG_VERSION"));
        for key in ["host", "processor", "engine"] {
            assert!(!session[key].as_str().unwrap().is_empty(), "{session}");
        }
    }
    // What it kept was used, too: a line every three steps.
    let lines = metrics::read(&run_folder::metrics(dir.path())).unwrap();
    assert!(lines.iter().any(|line| line.step == 6), "{lines:?}");
}

#[test]
fn damaged_settings_are_named() {
    let dir = tempdir().unwrap();
    let mut options = options(dir.path());
    run(&options).unwrap();
    options.resume = true;
    fs::write(run_folder::config(dir.path()), "{\"train\": ").unwrap();
    let error = run(&options).unwrap_err();
    assert!(error.message.contains("config.json"), "{error}");
    // What the help says works.
    fs::remove_file(run_folder::config(dir.path())).unwrap();
    run(&options).unwrap();
    assert!(run_folder::config(dir.path()).exists());
}

#[test]
fn weights_start_a_run_where_another_ended() {
    let dir = tempdir().unwrap();
    let first = dir.path().join("first");
    run(&options(&first)).unwrap();
    let second = dir.path().join("second");
    let mut options = options(&second);
    options.weights = Some(run_folder::last(&first));
    options.max_steps = Some(1);
    options.overrides.settings = settings(&[("rate", "1e-12")]);
    run(&options).unwrap();
    let weights = |dir: &Path| -> Vec<f32> {
        let tensors = crate::support::last(dir).tensors;
        let weights = tensors.into_iter().filter(|t| t.name == "linear0.weight");
        weights.flat_map(|t| t.data).collect()
    };
    // One step at that rate moves nothing that is not tiny already.
    for (a, b) in weights(&first).into_iter().zip(weights(&second)) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }
    // Resuming does not need the file again.
    options.weights = None;
    options.resume = true;
    run(&options).unwrap();
}

#[test]
fn a_rate_that_is_too_high_is_found_out() {
    let dir = tempdir().unwrap();
    let mut options = options(dir.path());
    options.overrides.settings = settings(&[("rate", "1e30"), ("epochs", "20")]);
    let error = run(&options).unwrap_err();
    assert!(error.message.contains("finite"), "{error}");
    assert!(error.help.unwrap().contains("--rate"));
}

#[test]
fn nothing_is_left_where_nothing_could_begin() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("run");
    let mut options = options(&out);
    options.weights = Some(dir.path().join("none.safetensors"));
    assert!(run(&options).is_err());
    assert!(!out.exists());
}

#[test]
fn absurd_threads_are_refused() {
    for threads in [0, 1_000_000] {
        let error = use_threads(Some(threads)).unwrap_err();
        assert!(error.message.contains(&threads.to_string()), "{error}");
    }
}

#[test]
fn eval_of_what_is_no_run_is_an_error() {
    let dir = tempdir().unwrap();
    let error = eval::run(&evaluation(dir.path().into())).unwrap_err();
    assert!(error.message.contains("last.safetensors"), "{error}");
    let error = eval::run(&evaluation(dir.path().join("x.safetensors"))).unwrap_err();
    assert!(error.message.contains("x.safetensors"), "{error}");
}
