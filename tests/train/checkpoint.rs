//! Tests of checkpoint files, whole and damaged.

use crate::support::{Setup, best, last, train};
use std::path::Path;
use tempfile::tempdir;
use vanc::train::checkpoint::{self, Checkpoint};
use vanc::train::run_folder;

#[test]
fn a_file_reads_back_as_it_was_and_is_the_same_every_time() {
    let dir = tempdir().unwrap();
    train(dir.path(), Setup::default()).unwrap();
    let path = run_folder::last(dir.path());
    let checkpoint = Checkpoint::read(&path).unwrap();
    checkpoint.write(&path).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap(), checkpoint);
    // Anyone's safetensors reader finds the weights by name, and nothing else.
    let names = |path: &Path| {
        let file = std::fs::read(path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&file).unwrap();
        let mut names: Vec<String> = file.names().into_iter().map(String::from).collect();
        names.sort();
        names
    };
    assert_eq!(names(&path), ["fc.bias", "fc.weight", "skip0.alpha"]);
    assert_eq!(
        names(&checkpoint::state(&path)),
        [
            "gradient_sum/skip0.alpha",
            "gradient_sum/steps",
            "momentum/fc.weight",
            "skip0.lambda"
        ]
    );
}

/// PyTorch's strict loading wants the parameters, and of each norm its statistics and its count
/// of batches, and nothing else.
#[test]
fn weights_are_what_pytorch_loads_strictly() {
    let dir = tempdir().unwrap();
    let text = "model small {
    input image(1, 28, 28)
    stem: conv(4, kernel: 3)
    skip variable { conv(4, kernel: 3) batch_norm relu }
    fc: linear(10)
}

train {
    data: synthetic(train: 20, test: 10)
    batch: 10
}
";
    std::fs::write(dir.path().join("small.van"), text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_vanc"))
        .args(["train", "small.van", "--out", "run", "--max-steps", "2"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let file = std::fs::read(run_folder::last(&dir.path().join("run"))).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "fc.bias",
            "fc.weight",
            "skip0.alpha",
            "skip0.batch_norm0.bias",
            "skip0.batch_norm0.num_batches_tracked",
            "skip0.batch_norm0.running_mean",
            "skip0.batch_norm0.running_var",
            "skip0.batch_norm0.weight",
            "skip0.conv0.weight",
            "stem.weight",
        ]
    );
    let count = file
        .tensor("skip0.batch_norm0.num_batches_tracked")
        .unwrap();
    assert_eq!(count.dtype(), safetensors::Dtype::I64);
    assert_eq!(
        (count.shape(), count.data()),
        (&[][..], &2u64.to_le_bytes()[..])
    );
}

/// A checkpoint as its files were after `step` steps.
fn files(dir: &Path, steps: u64) -> [Vec<u8>; 2] {
    let setup = Setup {
        max_steps: Some(steps),
        ..Setup::default()
    };
    train(dir, setup).unwrap();
    let path = run_folder::last(dir);
    [&path, &checkpoint::state(&path)].map(|path| std::fs::read(path).unwrap())
}

/// Cuts the writing of a second checkpoint off after each of its three steps.
#[test]
fn death_between_weights_and_state_changes_nothing() {
    let whole = tempdir().unwrap();
    train(whole.path(), Setup::default()).unwrap();
    let dir = tempdir().unwrap();
    let [old, old_state] = files(dir.path(), 3);
    let [new, new_state] = files(dir.path(), 5);
    let path = run_folder::last(dir.path());
    let state = checkpoint::state(&path);
    let next = path.with_file_name("last.state.next.safetensors");
    let moments = [
        (&old, &old_state, None),
        (&old, &old_state, Some(&new_state[..new_state.len() / 2])),
        (&old, &old_state, Some(&new_state[..])),
        (&new, &old_state, Some(&new_state[..])),
        (&new, &new_state, None),
    ];
    for (moment, (weights, kept, waiting)) in moments.into_iter().enumerate() {
        std::fs::write(&path, weights).unwrap();
        std::fs::write(&state, kept).unwrap();
        match waiting {
            Some(bytes) => std::fs::write(&next, bytes).unwrap(),
            None => drop(std::fs::remove_file(&next)),
        }
        let log = run_folder::metrics(dir.path());
        let lines = std::fs::read_to_string(&log).unwrap();
        train(dir.path(), Setup::default()).unwrap();
        assert_eq!(last(dir.path()), last(whole.path()), "moment {moment}");
        assert!(!next.exists(), "moment {moment}");
        std::fs::write(&log, lines).unwrap();
    }
}

#[test]
fn a_state_of_other_weights_is_refused() {
    let dir = tempdir().unwrap();
    let [_, old_state] = files(dir.path(), 3);
    let [_, new_state] = files(dir.path(), 5);
    let path = run_folder::last(dir.path());
    let state = checkpoint::state(&path);
    std::fs::write(&state, &old_state).unwrap();
    let error = Checkpoint::read(&path).unwrap_err();
    assert!(error.message.contains("last.state.safetensors"), "{error}");
    assert!(error.message.contains("other weights"), "{error}");
    std::fs::remove_file(&state).unwrap();
    let error = Checkpoint::read(&path).unwrap_err();
    assert!(error.message.contains("last.state.safetensors"), "{error}");
    let weights = Checkpoint::read_weights(&path).unwrap();
    assert_eq!(weights.tensors.len(), 3);
    for byte in 0..new_state.len() {
        let mut damaged = new_state.clone();
        damaged[byte] ^= 1 << (byte % 8);
        if damaged[byte].is_ascii_whitespace() && new_state[byte].is_ascii_whitespace() {
            continue;
        }
        std::fs::write(&state, &damaged).unwrap();
        Checkpoint::read(&path).expect_err(&format!("byte {byte} flipped"));
    }
}

#[test]
fn a_number_that_is_not_finite_is_refused_by_name() {
    let dir = tempdir().unwrap();
    train(dir.path(), Setup::default()).unwrap();
    let path = run_folder::last(dir.path());
    let mut checkpoint = Checkpoint::read(&path).unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        checkpoint.tensors[0].data[2] = bad;
        checkpoint.write(&path).unwrap();
        let error = Checkpoint::read(&path).unwrap_err();
        let words = format!("fc.bias: element 2 of 3 is {bad}");
        assert!(error.message.contains(&words), "{error}");
    }
}

/// Values that a program may have written with a right check sum, and no run does.
#[test]
fn a_value_that_no_run_has_is_refused_by_name() {
    type Change = fn(&mut Checkpoint);
    let set = |checkpoint: &mut Checkpoint, name: &str, value: f32| {
        let tensor = checkpoint.tensors.iter_mut().find(|t| t.name == name);
        tensor.unwrap().data[0] = value;
    };
    let dir = tempdir().unwrap();
    train(dir.path(), Setup::default()).unwrap();
    let path = run_folder::last(dir.path());
    let whole = Checkpoint::read(&path).unwrap();
    for alpha in [7.0, -0.5] {
        let mut checkpoint = whole.clone();
        set(&mut checkpoint, "skip0.alpha", alpha);
        checkpoint.write(&path).unwrap();
        let error = Checkpoint::read_weights(&path).unwrap_err();
        let words = format!("skip0.alpha: element 0 of 1 is {alpha}");
        assert!(error.message.contains(&words), "{error}");
    }
    let mut checkpoint = whole.clone();
    let variance = vanc::tensor::Tensor::full("norm.running_var", &[2], -1.0);
    checkpoint.tensors.push(variance);
    checkpoint.write(&path).unwrap();
    let error = Checkpoint::read_weights(&path).unwrap_err();
    assert!(error.message.contains("norm.running_var"), "{error}");
    let changes: [(&str, Change); 9] = [
        ("deviation is 0", |c| c.meta.data.std[0] = 0.0),
        ("deviation is -1", |c| c.meta.data.std[0] = -1.0),
        ("standard deviation for 0 of 1", |c| c.meta.data.std.clear()),
        ("18446744073709551615 epochs", |c| {
            c.meta.progress.epoch = u64::MAX;
        }),
        ("step 18446744073709551615", |c| {
            c.meta.progress.step = u64::MAX;
        }),
        ("a log up to step 99", |c| c.meta.progress.logged = Some(99)),
        ("after step 99", |c| {
            c.meta.progress.best.as_mut().unwrap().step = 99;
        }),
        ("images right", |c| c.meta.progress.window.correct = 99),
        ("-1 seconds", |c| c.meta.progress.seconds = -1.0),
    ];
    for (words, change) in changes {
        let mut checkpoint = whole.clone();
        change(&mut checkpoint);
        checkpoint.write(&path).unwrap();
        let error = Checkpoint::read_weights(&path).unwrap_err();
        assert!(error.message.contains(words), "{words}: {error}");
        assert!(error.message.contains("last.safetensors"), "{error}");
    }
}

#[test]
fn damage_anywhere_is_found() {
    let dir = tempdir().unwrap();
    train(dir.path(), Setup::default()).unwrap();
    let path = run_folder::last(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let expect_error = |bytes: &[u8], what: String| {
        std::fs::write(&path, bytes).unwrap();
        let error = Checkpoint::read(&path).expect_err(&what);
        assert!(error.message.contains("last.safetensors"), "{error}");
    };
    for length in (0..whole.len()).step_by(7) {
        expect_error(&whole[..length], format!("cut at {length}"));
    }
    for byte in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[byte] ^= 1 << (byte % 8);
        // A blank within the header may become another blank.
        if bytes[byte].is_ascii_whitespace() && whole[byte].is_ascii_whitespace() {
            continue;
        }
        expect_error(&bytes, format!("byte {byte} flipped"));
    }
}

#[test]
fn a_damaged_last_checkpoint_points_at_the_best() {
    let dir = tempdir().unwrap();
    train(dir.path(), Setup::default()).unwrap();
    let (whole, good) = (last(dir.path()), best(dir.path()));
    let damage = [Some(&b"\0\0\0\0"[..]), None];
    for damage in damage {
        match damage {
            Some(bytes) => std::fs::write(run_folder::last(dir.path()), bytes).unwrap(),
            None => std::fs::remove_file(run_folder::last(dir.path())).unwrap(),
        }
        let error = train(dir.path(), Setup::default()).unwrap_err();
        assert!(error.message.contains("last.safetensors"), "{error}");
        let help = error.help.unwrap();
        assert!(help.contains(&format!("of epoch {}", good.meta.progress.epoch)));
        // What the help says works.
        let commands: Vec<&str> = help.lines().skip(1).collect();
        let commands = commands.join("\n");
        let done = std::process::Command::new("sh")
            .args(["-ec", &commands])
            .status();
        assert!(done.unwrap().success(), "{commands}");
        train(dir.path(), Setup::default()).unwrap();
        assert_eq!(last(dir.path()), whole);
    }
    std::fs::write(run_folder::last(dir.path()), "").unwrap();
    std::fs::write(run_folder::best(dir.path()), "").unwrap();
    let error = train(dir.path(), Setup::default()).unwrap_err();
    assert!(error.help.unwrap().contains("--force"));
}

#[test]
fn other_data_is_refused() {
    let dir = tempdir().unwrap();
    train(dir.path(), Setup::default()).unwrap();
    let meta = last(dir.path()).meta.data;
    let mut data = crate::support::dataset();
    assert!(meta.check(&data).is_ok());
    data.mean[0] = f32::from_bits(data.mean[0].to_bits() + 1);
    assert!(meta.check(&data).unwrap_err().message.contains("mean"));
    data.train.labels.pop();
    assert!(
        meta.check(&data)
            .unwrap_err()
            .message
            .contains("22 training")
    );
}
