//! Tests of an interrupted and resumed run against an undisturbed one.

use crate::support::{EPOCH_STEPS, Faults, Setup, best, last, log, train};
use std::path::Path;
use std::time::Duration;
use tempfile::{TempDir, tempdir};
use vanc::train::metrics::{self, Line, Split};
use vanc::train::run_folder;
use vanc::train::session::Ending;

/// Trains three epochs undisturbed.
fn whole() -> TempDir {
    let dir = tempdir().unwrap();
    assert_eq!(
        train(dir.path(), Setup::default()).unwrap(),
        Ending::Finished
    );
    dir
}

fn assert_same(dir: &Path, whole: &Path, when: &str) {
    assert_eq!(log(dir), log(whole), "log, {when}");
    assert_eq!(last(dir), last(whole), "last, {when}");
    assert_eq!(best(dir), best(whole), "best, {when}");
}

/// Appends a line that a killed process has begun.
fn tear_log(dir: &Path) {
    let path = run_folder::metrics(dir);
    let mut text = std::fs::read(&path).unwrap();
    text.extend_from_slice(br#"{"split":"train","step":4,"epo"#);
    std::fs::write(path, text).unwrap();
}

#[test]
fn the_log_has_a_line_where_it_should() {
    let dir = whole();
    let steps = |split: &str| -> Vec<u64> {
        let lines = metrics::read(&run_folder::metrics(dir.path())).unwrap();
        let lines = lines
            .iter()
            .filter(|l| format!("{:?}", l.split).to_lowercase() == split);
        lines.map(|line| line.step).collect()
    };
    assert_eq!(steps("train"), [2, 4, 5, 6, 8, 10, 12, 14, 15]);
    assert_eq!(steps("test"), [5, 10, 15]);
    let progress = last(dir.path()).meta.progress;
    assert_eq!((progress.epoch, progress.step), (3, 3 * EPOCH_STEPS));
    assert_eq!(progress.first_residual, Some(1.0));
}

#[test]
fn a_line_is_about_the_steps_since_the_one_before() {
    let dir = tempdir().unwrap();
    let setup = Setup {
        log_every: Some(1),
        ..Setup::default()
    };
    train(dir.path(), setup).unwrap();
    let lines = metrics::read(&run_folder::metrics(dir.path())).unwrap();
    let (test, train): (Vec<Line>, Vec<Line>) =
        lines.into_iter().partition(|l| l.split == Split::Test);
    assert_eq!(test.len(), 3);
    for (epoch, steps) in train.chunks(EPOCH_STEPS as usize).enumerate() {
        // Four batches of five images and one of three.
        let images = [5.0, 5.0, 5.0, 5.0, 3.0];
        let mean = |value: fn(&Line) -> f64| -> f64 {
            let parts = steps.iter().zip(images).map(|(line, n)| value(line) * n);
            parts.sum::<f64>() / 23.0
        };
        let end = steps.last().unwrap();
        assert_eq!(end.epoch, epoch as u64 + 1);
        assert!((mean(|line| line.loss) - end.epoch_loss.unwrap()).abs() < 1e-12);
        assert!((mean(|line| line.accuracy) - end.epoch_accuracy.unwrap()).abs() < 1e-12);
        assert_eq!(end.rate, 0.2 / end.step as f64);
        assert!(end.alpha_residual.unwrap() < steps[0].alpha_residual.unwrap());
        assert_eq!(end.skips.as_ref().unwrap()[0].path, "skip0");
    }
}

#[test]
fn the_best_checkpoint_is_the_first_of_the_most_accurate() {
    let dir = whole();
    let lines = metrics::read(&run_folder::metrics(dir.path())).unwrap();
    let tests: Vec<&Line> = lines.iter().filter(|l| l.split == Split::Test).collect();
    let most = tests.iter().map(|l| l.accuracy).fold(0.0, f64::max);
    let equals: Vec<u64> = tests
        .iter()
        .filter(|l| l.accuracy == most)
        .map(|l| l.step)
        .collect();
    assert!(equals.len() > 1, "no two are equal");
    assert_eq!(best(dir.path()).meta.progress.step, equals[0]);
}

#[test]
fn death_in_any_step_changes_nothing() {
    let whole = whole();
    for save_every in [Duration::ZERO, Duration::MAX] {
        for step in 0..3 * EPOCH_STEPS {
            let dir = tempdir().unwrap();
            let mut setup = Setup {
                save_every,
                ..Setup::default()
            };
            setup.faults.dies_at = Some(step);
            assert_eq!(train(dir.path(), setup).unwrap_err().message, "killed");
            tear_log(dir.path());
            setup.faults = Faults::default();
            assert_eq!(train(dir.path(), setup).unwrap(), Ending::Finished);
            let when = format!("died in step {step}, saving every {save_every:?}");
            assert_same(dir.path(), whole.path(), &when);
        }
    }
}

#[test]
fn a_signal_in_any_step_or_evaluation_changes_nothing() {
    let whole = whole();
    // Eleven test images in batches of five: three batches an evaluation.
    let in_steps = (0..3 * EPOCH_STEPS).map(|step| Faults {
        signal_at: Some(step),
        ..Faults::default()
    });
    let in_tests = (0..8).map(|batch| Faults {
        signal_in_test: Some(batch),
        ..Faults::default()
    });
    for faults in in_steps.chain(in_tests) {
        let dir = tempdir().unwrap();
        let mut setup = Setup {
            faults,
            ..Setup::default()
        };
        let signal = if faults.signal_at.is_some() { 2 } else { 15 };
        let when = format!("{:?} {:?}", faults.signal_at, faults.signal_in_test);
        assert_eq!(
            train(dir.path(), setup).unwrap(),
            Ending::Stopped(signal),
            "{when}"
        );
        // The step that was under way is done and saved.
        if let Some(step) = faults.signal_at {
            assert_eq!(last(dir.path()).meta.progress.step, step + 1);
        }
        setup.faults = Faults::default();
        assert_eq!(
            train(dir.path(), setup).unwrap(),
            Ending::Finished,
            "{when}"
        );
        assert_same(dir.path(), whole.path(), &when);
    }
}

#[test]
fn death_between_best_and_last_changes_nothing() {
    let whole = whole();
    for step in 1..3 * EPOCH_STEPS {
        let dir = tempdir().unwrap();
        let mut setup = Setup {
            save_every: Duration::ZERO,
            ..Setup::default()
        };
        setup.faults.dies_at = Some(step);
        train(dir.path(), setup).unwrap_err();
        // The log and the best checkpoint are ahead of the last one, as far as can be.
        let pair = |at: fn(&Path) -> std::path::PathBuf| (at(whole.path()), at(dir.path()));
        for (from, to) in [pair(run_folder::metrics), pair(run_folder::best)] {
            std::fs::copy(from, to).unwrap();
        }
        setup.faults = Faults::default();
        train(dir.path(), setup).unwrap();
        assert_same(dir.path(), whole.path(), &format!("died in step {step}"));
    }
}

#[test]
fn a_run_that_is_done_stays_as_it_is() {
    let dir = whole();
    let before = std::fs::read(run_folder::last(dir.path())).unwrap();
    assert_eq!(
        train(dir.path(), Setup::default()).unwrap(),
        Ending::Finished
    );
    assert_eq!(std::fs::read(run_folder::last(dir.path())).unwrap(), before);
}

#[test]
fn more_epochs_go_on_from_the_end() {
    let dir = tempdir().unwrap();
    let mut setup = Setup {
        epochs: 1,
        ..Setup::default()
    };
    train(dir.path(), setup).unwrap();
    setup.epochs = 3;
    train(dir.path(), setup).unwrap();
    assert_same(dir.path(), whole().path(), "one epoch, then two");
}

#[test]
fn max_steps_ends_with_a_test_and_more_go_on() {
    let whole = whole();
    for steps in 1..=3 * EPOCH_STEPS {
        let dir = tempdir().unwrap();
        let mut setup = Setup {
            max_steps: Some(steps),
            ..Setup::default()
        };
        // With a signal in that last test, too.
        setup.faults.signal_in_test = Some((steps.div_ceil(EPOCH_STEPS) - 1) as usize * 3 + 1);
        assert_eq!(train(dir.path(), setup).unwrap(), Ending::Stopped(15));
        setup.faults = Faults::default();
        assert_eq!(train(dir.path(), setup).unwrap(), Ending::Finished);
        let lines = log(dir.path());
        let of_end: Vec<&String> = lines
            .iter()
            .filter(|line| line.contains(&format!("\"step\":{steps},")))
            .collect();
        assert_eq!(of_end.len(), 2, "{of_end:?}");
        assert!(of_end[0].contains("\"skips\"") && of_end[1].contains("test"));
        assert_eq!(
            &lines[lines.len() - 2..],
            of_end.into_iter().cloned().collect::<Vec<_>>()
        );
        train(dir.path(), setup).unwrap();
        assert_eq!(log(dir.path()), lines, "asked again");
        setup.max_steps = None;
        train(dir.path(), setup).unwrap();
        let (ours, theirs) = (last(dir.path()), last(whole.path()));
        assert_eq!(ours.tensors, theirs.tensors);
        assert_eq!(ours.meta.progress.tested, theirs.meta.progress.tested);
    }
}

#[test]
fn logging_and_saving_differently_changes_no_weight() {
    let whole = whole();
    let dir = tempdir().unwrap();
    let setup = Setup {
        log_every: None,
        save_every: Duration::ZERO,
        ..Setup::default()
    };
    train(dir.path(), setup).unwrap();
    assert_eq!(last(dir.path()).tensors, last(whole.path()).tensors);
    assert_eq!(log(dir.path()).len(), 6);
}
