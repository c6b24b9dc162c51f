//! Tests of checkpoint files, whole and damaged.

use crate::support::{Setup, best, last, train};
use tempfile::tempdir;
use vanc::train::checkpoint::Checkpoint;
use vanc::train::run_folder;

#[test]
fn a_file_reads_back_as_it_was_and_is_the_same_every_time() {
    let dir = tempdir().unwrap();
    train(dir.path(), Setup::default()).unwrap();
    let path = run_folder::last(dir.path());
    let checkpoint = Checkpoint::read(&path).unwrap();
    checkpoint.write(&path).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap(), checkpoint);
    // Anyone's safetensors reader finds the weights by name.
    let file = std::fs::read(&path).unwrap();
    let names = safetensors::SafeTensors::deserialize(&file).unwrap();
    assert!(names.tensor("fc.weight").is_ok());
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
        let command = help.lines().last().unwrap().trim();
        let done = std::process::Command::new("sh")
            .arg("-c")
            .arg(command)
            .status();
        assert!(done.unwrap().success(), "{command}");
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
