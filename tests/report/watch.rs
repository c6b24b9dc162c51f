//! Tests of the single picture of a run that `vanc watch` prints into a pipe.

use crate::support::{copy, fail, run, succeed, sweep};
use std::path::Path;

fn watch(dir: &Path) -> String {
    succeed(&["watch".as_ref(), dir.as_os_str()])
}

#[test]
fn a_finished_run_is_shown_whole() {
    let text = watch(&run(sweep(), "3", "variable", 0));
    for part in [
        "tiny",
        "done",
        "100 %",
        "epoch 3/3",
        "α residual",
        "accuracy / %",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn a_run_whose_process_is_gone_is_shown_as_stopped() {
    let copy = copy();
    let dir = run(copy.path(), "3", "plain", 0);
    let log = dir.join("metrics.jsonl");
    let text = std::fs::read_to_string(&log).expect("a log");
    // Two epochs, and a line that was being written.
    let kept: Vec<&str> = text.lines().take(4).collect();
    std::fs::write(&log, format!("{}\n{{\"split\":\"tr", kept.join("\n"))).expect("written");
    let shown = watch(&dir);
    assert!(
        shown.contains("stopped") && shown.contains("epoch 2/3"),
        "{shown}"
    );
    assert!(
        shown.contains("67 %") && shown.contains("--resume"),
        "{shown}"
    );
    std::fs::remove_file(&log).expect("removed");
    assert!(watch(&dir).contains("no curves"));
}

/// A locked run folder means that a process is training.
#[test]
fn a_run_under_way_is_shown_as_training() {
    let copy = copy();
    let dir = run(copy.path(), "3", "plain", 1);
    let log = dir.join("metrics.jsonl");
    let text = std::fs::read_to_string(&log).expect("a log");
    let first: Vec<&str> = text.lines().take(2).collect();
    std::fs::write(&log, format!("{}\n", first.join("\n"))).expect("written");
    let lock = std::fs::File::create(dir.join(".lock")).expect("a lock");
    lock.lock().expect("locked");
    let shown = watch(&dir);
    assert!(
        shown.contains("training") && shown.contains("left"),
        "{shown}"
    );
}

#[test]
fn a_run_that_has_not_begun_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(watch(folder.path()).contains("has not begun"));
    let copy = copy();
    let next = run(copy.path(), "1", "variable", 1);
    std::fs::create_dir(&next).expect("made");
    std::fs::write(next.join("log.txt"), "").expect("written");
    assert!(watch(&next).contains("has not begun"));
}

#[test]
fn what_is_no_run_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let says = |dir: &Path, part: &str| {
        let said = fail(&["watch".as_ref(), dir.as_os_str()]);
        assert!(
            said.contains(part) && said.contains("help:"),
            "{part}: {said}"
        );
    };
    says(sweep(), "is a sweep, not a run");
    says(&folder.path().join("absent"), "is not there");
    std::fs::write(folder.path().join("letter.txt"), "").expect("written");
    says(folder.path(), "holds no run");
    says(&folder.path().join("letter.txt"), "is no folder");
}
