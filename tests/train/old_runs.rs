//! Tests of run folders that version 0.1.0 left after ten of sixteen steps: they evaluate to
//! what that version said and, resumed, end with its tensors bit for bit.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use vanc::train::checkpoint::Checkpoint;
use vanc::train::run_folder;

/// A copy of one of these folders.
struct Run {
    dir: TempDir,
    name: &'static str,
}

/// Path of 0.1.0's run of the network `name`.
fn fixture(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/train/runs_of_0_1").join(name)
}

impl Run {
    fn copy(name: &'static str) -> Run {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (fixture(name).join("run"), dir.path().join(name));
        std::fs::create_dir_all(to.join("checkpoints")).unwrap();
        for file in [
            "model.van",
            "config.json",
            "metrics.jsonl",
            "checkpoints/last.safetensors",
            "checkpoints/best.safetensors",
        ] {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
        std::fs::copy(from.join("model.van"), dir.path().join("model.van")).unwrap();
        Run { dir, name }
    }

    /// Runs the program beside the copy, with the instruction set that every processor has.
    fn vanc(&self, args: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args(args)
            .args(["--threads", "1", "--device", "cpu"])
            .current_dir(self.dir.path())
            .env("VANC_ISA", "portable")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {error}", self.name);
        output
    }

    fn evaluates_as_before(&self) {
        let output = self.vanc(&["eval", self.name, "--format", "json"]);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = std::fs::read(fixture(self.name).join("eval.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&text).unwrap();
        for key in ["step", "loss", "accuracy", "confusion"] {
            assert_eq!(found[key], expected[key], "{}: {key}", self.name);
        }
        let classes = |report: &serde_json::Value| report["classes"].as_array().unwrap().clone();
        let (found, expected) = (classes(&found), classes(&expected));
        assert_eq!(found.len(), expected.len(), "{}", self.name);
        for (found, expected) in found.iter().zip(&expected) {
            for key in ["name", "images", "accuracy"] {
                assert_eq!(found[key], expected[key], "{}: {key}", self.name);
            }
        }
    }

    fn resumes_to_the_same_end(&self) {
        self.vanc(&["train", "model.van", "--resume", "--out", self.name]);
        let last = run_folder::last(&self.dir.path().join(self.name));
        let found = Checkpoint::read(&last).unwrap().tensors;
        let expected = Checkpoint::read(&fixture(self.name).join("end.safetensors")).unwrap();
        // What an optimizer keeps may have another name by now.
        let expected = expected.tensors.iter();
        for tensor in expected.filter(|tensor| !tensor.name.contains('/')) {
            let resumed = found.iter().find(|found| found.name == tensor.name);
            assert_eq!(resumed, Some(tensor), "{}", self.name);
        }
    }
}

#[test]
fn an_mlp_goes_on_as_it_would_have() {
    let run = Run::copy("mlp");
    run.evaluates_as_before();
    run.resumes_to_the_same_end();
}

#[test]
fn a_cnn_goes_on_as_it_would_have() {
    let run = Run::copy("cnn");
    run.evaluates_as_before();
    run.resumes_to_the_same_end();
}
