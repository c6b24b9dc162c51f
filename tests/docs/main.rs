//! Tests that what a reader can copy works: every example file, every block of the README.

mod examples;
mod paper;
mod readme;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Folder of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the program in the repository.
fn vanc<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vanc"))
        .args(args)
        .current_dir(root())
        .env_remove("VANC_DATA")
        .output()
        .expect("the program starts")
}

/// Output of a run that must succeed.
fn succeed<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> String {
    let output = vanc(args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let shown: Vec<_> = args.iter().map(|a| a.as_ref().to_string_lossy()).collect();
    assert!(
        output.status.success(),
        "vanc {}: {}\n{}{}",
        shown.join(" "),
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Lists the files of `examples/`.
fn example_files() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("examples")).expect("examples");
    let files = folder.map(|entry| entry.expect("entry").path());
    let mut files: Vec<_> = files
        .filter(|p| p.extension().is_some_and(|e| e == "van"))
        .collect();
    files.sort();
    assert!(files.len() >= 9, "examples are missing");
    files
}
