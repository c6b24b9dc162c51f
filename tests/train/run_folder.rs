//! Tests of the choice of a run folder, and of folders that are refused.

use crate::support::{Setup, begin, last, train};
use std::fs;
use std::path::Path;
use tempfile::tempdir;
use vanc::error::Error;
use vanc::train::run_folder::{self, RunStart, choose};

fn refusal(out: &Path) -> Error {
    choose("m", Some(out), false, false).unwrap_err()
}

#[test]
fn a_folder_with_a_run_needs_resume_or_force() {
    let dir = tempdir().unwrap();
    train(dir.path(), Setup::default()).unwrap();
    let error = refusal(dir.path());
    assert!(error.message.contains("already holds a run"), "{error}");
    let help = error.help.unwrap();
    assert!(help.contains("--resume") && help.contains("--force"));
    let forced = choose("m", Some(dir.path()), false, true).unwrap();
    assert!(matches!(forced, RunStart::New { force: true, .. }));
    let resumed = choose("m", Some(dir.path()), true, false).unwrap();
    assert!(matches!(resumed, RunStart::Resumed { .. }));
    drop(resumed);
    drop(run_folder::begin(dir.path(), false, true, "new", "{}").unwrap());
    assert!(!run_folder::last(dir.path()).exists() && !run_folder::best(dir.path()).exists());
    assert_eq!(
        fs::read_to_string(run_folder::source(dir.path())).unwrap(),
        "new"
    );
}

#[test]
fn files_that_are_not_a_runs_are_not_overwritten() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("config.json"), "mine").unwrap();
    assert!(refusal(dir.path()).message.contains("config.json"));
    // Other files are no hindrance.
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    assert!(choose("m", Some(dir.path()), false, false).is_ok());
}

#[test]
fn a_folder_whose_making_was_cut_short_begins_again() {
    // The files in the order they are written; each prefix is what a kill can leave.
    let files = [
        ".lock",
        "checkpoints/",
        "model.van",
        "config.json",
        "metrics.jsonl",
    ];
    let whole = tempdir().unwrap();
    train(whole.path(), Setup::default()).unwrap();
    for made in 0..=files.len() {
        let dir = tempdir().unwrap();
        for file in &files[..made] {
            let path = dir.path().join(file);
            if file.ends_with('/') {
                fs::create_dir(&path).unwrap();
                fs::write(path.join(".last.safetensors.tmp"), "torn").unwrap();
            } else {
                fs::write(path, "torn").unwrap();
            }
        }
        for resume in [false, true] {
            let place = choose("m", Some(dir.path()), resume, false).unwrap();
            assert!(
                matches!(place, RunStart::New { .. }),
                "{made} files, {resume}"
            );
        }
        train(dir.path(), Setup::default()).unwrap();
        assert_eq!(last(dir.path()), last(whole.path()));
    }
}

#[test]
fn two_processes_do_not_train_in_one_folder() {
    let dir = tempdir().unwrap();
    let held = begin(dir.path()).unwrap();
    let error = begin(dir.path()).unwrap_err();
    assert!(error.message.contains("another process"), "{error}");
    drop(held);
    begin(dir.path()).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = begin(&file.join("run")).unwrap_err();
    assert!(error.message.contains("cannot write"), "{error}");
    let error = begin(&file).unwrap_err();
    assert!(error.message.contains("cannot write"), "{error}");
}

#[test]
fn folders_are_numbered_and_the_newest_is_resumed() {
    let root = tempdir().unwrap();
    let base = root.path().join("runs").join("m");
    let make = || {
        let folder = run_folder::begin(&base, true, false, "", "{}").unwrap();
        folder
            .dir()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!([make(), make(), make()], ["m", "m-2", "m-3"]);
    fs::remove_dir_all(root.path().join("runs/m-2")).unwrap();
    assert_eq!(make(), "m-2");
}
