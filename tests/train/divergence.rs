//! Tests of losses and weights that are not finite.

use crate::support::{Faults, Setup, last, train};
use std::time::Duration;
use tempfile::tempdir;

#[test]
fn a_loss_that_is_not_finite_stops_the_run_before_anything_bad_is_saved() {
    let faults = Faults {
        nan_at: Some(7),
        ..Faults::default()
    };
    let setup = Setup {
        faults,
        ..Setup::default()
    };
    let dir = tempdir().unwrap();
    let error = train(dir.path(), setup).unwrap_err();
    assert_eq!(
        error.message,
        "the loss is NaN in step 8 (epoch 2); \
         the first layer whose output is not finite is fc"
    );
    let help = error.help.unwrap();
    let path = vanc::train::run_folder::last(dir.path());
    assert!(
        help.contains(&format!("{}, is of step 5", path.display())),
        "{help}"
    );
    assert!(help.contains("--rate"), "{help}");
    assert_eq!(last(dir.path()).meta.progress.step, 5);
}

#[test]
fn weights_that_are_not_finite_are_never_saved() {
    for save_every in [Duration::ZERO, Duration::MAX] {
        let dir = tempdir().unwrap();
        let faults = Faults {
            overflows_at: Some(3),
            ..Faults::default()
        };
        let setup = Setup {
            faults,
            save_every,
            ..Setup::default()
        };
        let error = train(dir.path(), setup).unwrap_err();
        let expected = match save_every {
            Duration::ZERO => "fc.weight is not finite after step 4",
            // By then a step shows it.
            _ => "the loss is",
        };
        assert!(error.message.starts_with(expected), "{}", error.message);
        let saved = last(dir.path());
        let tensors = saved.tensors.iter().flat_map(|t| &t.data);
        assert!(tensors.into_iter().all(|x| x.is_finite()));
    }
}

#[test]
fn a_test_loss_that_is_not_finite_stops_the_run() {
    let setup = Setup {
        faults: Faults {
            nan_in_test: true,
            ..Faults::default()
        },
        ..Setup::default()
    };
    let dir = tempdir().unwrap();
    let error = train(dir.path(), setup).unwrap_err();
    assert_eq!(error.message, "the test loss is NaN after step 5");
    assert_eq!(last(dir.path()).meta.progress.step, 0);
}
