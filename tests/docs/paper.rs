//! Tests of the scripts of the paper's figures: the quick form trains and draws, and the
//! paper's settings are correct.

use super::root;
use std::path::Path;
use std::process::Command;

/// Runs a script with its runs in `sweeps`; returns what it printed.
fn script(name: &str, args: &[&str], sweeps: &Path) -> String {
    let output = Command::new("sh")
        .arg(root().join("examples/paper").join(name))
        .args(args)
        .env("VANC", env!("CARGO_BIN_EXE_vanc"))
        .env("SWEEPS", sweeps)
        .env_remove("VANC_DATA")
        .output()
        .expect("sh starts");
    assert!(
        output.status.success(),
        "{name} {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Lists the scripts, without what they share.
fn scripts() -> Vec<String> {
    let folder = std::fs::read_dir(root().join("examples/paper")).expect("the scripts");
    let names = folder.map(|entry| entry.expect("entry").file_name().into_string());
    let mut names: Vec<_> = names
        .map(|name| name.expect("a name"))
        .filter(|name| name.ends_with(".sh") && name != "common.sh")
        .collect();
    names.sort();
    assert_eq!(names.len(), 6, "{names:?}");
    names
}

#[test]
fn quick_forms_train_and_draw() {
    for name in scripts() {
        let folder = tempfile::tempdir().expect("a folder");
        let images = "synthetic(train: 32, test: 16)";
        let mut args = vec!["--quick", "--data", images, "--max-steps", "1"];
        if name == "figure3.sh" {
            // Drawn images have ten classes.
            args.extend(["--classes", "10"]);
        }
        script(&name, &args, folder.path());
        let mut drawn = std::fs::read_dir(folder.path()).expect("the sweeps");
        let sweep = drawn.next().expect("a sweep").expect("a sweep").path();
        assert!(sweep.join("report.html").exists(), "{name} drew nothing");
        if let Ok(results) = std::fs::read_to_string(sweep.join("results.csv")) {
            let runs: Vec<_> = results.lines().skip(1).collect();
            assert!(runs.len() >= 9, "{name}: {runs:?}");
            assert!(runs.iter().all(|run| run.contains(",done,")), "{results}");
        }
    }
}

#[test]
fn the_papers_settings_are_sound() {
    for name in scripts() {
        // One run, not a sweep.
        if name == "figure5.sh" {
            continue;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let jobs = script(&name, &["--emit", "shell", "--shards", "4"], folder.path());
        assert!(jobs.contains("--shard"), "{name}: {jobs}");
    }
}
