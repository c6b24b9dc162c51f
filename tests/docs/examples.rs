//! Test that every file of `examples/` is correct and canonical, and trains.

use super::{example_files, succeed};
use std::ffi::OsString;

/// Flags that make an example small enough to train a step in a test.
fn small(name: &str) -> &'static [&'static str] {
    match name {
        "cifar_8n2" | "cifar100_8n2" => &["--n", "1", "--width", "4"],
        "densenet" => &["--depth", "7", "--growth", "4"],
        "diracnet" => &["--n", "1", "--width", "4"],
        "wide_resnet" => &["--n", "1", "--k", "1"],
        "quickstart" => &["--width", "4"],
        "deep_mlp" | "fashion_mlp" | "mnist_mlp" | "highway" => &["--depth", "3"],
        other => panic!("say how {other}.van is made small"),
    }
}

#[test]
fn examples_are_sound_and_canonical() {
    for file in example_files() {
        let file = file.as_os_str();
        assert!(succeed(&["check".as_ref(), file]).contains("sound"));
        succeed(&["fmt".as_ref(), "--check".as_ref(), file]);
        assert!(succeed(&["describe".as_ref(), file]).contains("depth"));
    }
}

#[test]
fn examples_train() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in example_files() {
        let name = file
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let classes: &[&str] = match name.as_str() {
            // The synthetic images have ten classes.
            "cifar100_8n2" => &["--classes", "10"],
            _ => &[],
        };
        let mut args: Vec<OsString> = vec!["train".into(), file.into()];
        args.extend(small(&name).iter().chain(classes).map(OsString::from));
        args.extend(["--data", "synthetic(train: 32, test: 16)"].map(OsString::from));
        args.extend(["--batch", "16", "--max-steps", "2", "--out"].map(OsString::from));
        args.push(folder.path().join(&name).into());
        succeed(&args);
        let checkpoint = folder
            .path()
            .join(&name)
            .join("checkpoints/last.safetensors");
        assert!(checkpoint.exists(), "{name} left no checkpoint");
    }
}

#[test]
fn every_policy_of_the_examples_is_sound() {
    let policies = [
        "plain",
        "resnet",
        "resnet(scale: 0.5)",
        "highway",
        "dirac",
        "variable",
        "variable(lambda: 0)",
        "variable(form: convex)",
    ];
    for file in example_files() {
        let text = std::fs::read_to_string(&file).expect("an example");
        if !text.contains("param policy: skip") {
            continue;
        }
        for policy in policies {
            let args: [OsString; 4] = [
                "check".into(),
                file.clone().into(),
                "--policy".into(),
                policy.into(),
            ];
            succeed(&args);
        }
    }
}
