//! Tests of `vanc predict`: what it predicts, how it says so, and what it refuses.

mod refusals;
mod support;

use png::{BitDepth, ColorType};
use serde_json::Value;
use std::io::Read;
use std::process::{Command, Stdio};
use support::{SIZE, failure, grey, png, success, trained};

/// Class of each row of CSV, which have the four other columns too.
fn classes(csv: &str) -> Vec<String> {
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("file,rank,class,index,probability"));
    let class = |line: &str| match line.contains("\"light, or nearly\",1,") {
        true => "light".to_string(),
        false => line.split(',').nth(2).unwrap().to_string(),
    };
    lines.map(class).collect()
}

#[test]
fn files_and_folders_are_predicted_in_order() {
    let dir = trained(1);
    let path = dir.path();
    grey(&path.join("photos/b/deep/9.png"), SIZE, 250);
    grey(&path.join("photos/a.png"), SIZE, 12);
    std::fs::write(path.join("photos/notes.txt"), "text").unwrap();
    grey(&path.join("z"), SIZE, 245);
    let csv = success(path, &["predict", "run", "z", "photos", "--format", "csv"]);
    assert_eq!(classes(&csv), ["light", "dark", "light"]);
    let names: Vec<&str> = csv.lines().map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(names, ["file", "z", "photos/a.png", "photos/b/deep/9.png"]);
    // A checkpoint, and batches of other sizes, say the same.
    let last = "run/checkpoints/last.safetensors";
    let args = ["predict", last, "z", "photos", "--format", "csv"];
    let probabilities = |csv: &str| -> Vec<f64> {
        let last = csv.lines().skip(1).map(|l| l.rsplit(',').next().unwrap());
        last.map(|p| p.parse().unwrap()).collect()
    };
    for batch in ["1", "2", "1000000"] {
        let other = success(path, &[&args[..], &["--batch", batch]].concat());
        assert_eq!(classes(&other), classes(&csv));
        for (a, b) in probabilities(&other).iter().zip(probabilities(&csv)) {
            assert!((a - b).abs() < 1e-6 && b > 0.5 && b <= 1.0, "{a} {b}");
        }
    }
    insta::assert_snapshot!(
        "table",
        success(path, &["predict", "run", "z", "photos", "--top", "2"])
            .lines()
            // The digits of a probability are the processor's.
            .map(|line| match line.split_once(" %") {
                Some((head, tail)) => format!("{}…{tail}\n", head.rsplit_once(' ').unwrap().0),
                None => format!("{line}\n"),
            })
            .collect::<String>()
    );
}

#[test]
fn every_engine_predicts_the_same() {
    let dir = trained(1);
    let path = dir.path();
    let args = [
        "predict",
        "run",
        "data/test",
        "--top",
        "2",
        "--format",
        "json",
    ];
    let rows = |engine: &[&str]| -> Vec<Value> {
        let text = success(path, &[&args[..], engine].concat());
        text.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    };
    let ours = rows(&["--device", "cpu", "--threads", "1"]);
    let dfdx = rows(&["--engine", "dfdx"]);
    assert_eq!((ours.len(), dfdx.len()), (12, 12));
    for (a, b) in ours.iter().zip(&dfdx) {
        for key in ["file", "rank", "class", "index"] {
            assert_eq!(a[key], b[key]);
        }
        let p = |row: &Value| row["probability"].as_f64().unwrap();
        assert!((p(a) - p(b)).abs() < 1e-6, "{a} {b}");
    }
    let sum: f64 = ours[..2]
        .iter()
        .map(|r| r["probability"].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-12);
    assert_eq!((&ours[0]["rank"], &ours[1]["rank"]), (&1.into(), &2.into()));
}

#[test]
fn images_of_a_dataset_are_called_by_their_index() {
    let dir = trained(1);
    let path = dir.path();
    let csv = |args: &[&str]| {
        success(
            path,
            &[&["predict", "run", "--format", "csv"], args].concat(),
        )
    };
    let test = csv(&["--split", "test"]);
    assert_eq!(
        classes(&test),
        ["dark", "dark", "dark", "light", "light", "light"]
    );
    let names: Vec<&str> = test.lines().map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(names, ["file", "0", "1", "2", "3", "4", "5"]);
    assert_eq!(csv(&["--data", "folder", "--data-dir", "data"]), test);
    assert_eq!(csv(&["--split", "train"]).lines().count(), 13);
    // Files are standardised as the dataset's images are.
    let files = csv(&["data/test"]);
    let tail = |csv: &str| -> Vec<String> {
        let rows = csv.lines().skip(1);
        let rows = rows.map(|l| l.split_once(",1,").unwrap().1.to_string());
        rows.collect()
    };
    assert_eq!(tail(&files), tail(&test));
}

#[test]
fn the_list_goes_to_a_file_that_is_new() {
    let dir = trained(1);
    let path = dir.path();
    let args = ["predict", "run", "data/test", "--format", "csv"];
    let said = success(path, &[&args[..], &["-o", "out.csv"]].concat());
    assert_eq!(said, "");
    let written = std::fs::read_to_string(path.join("out.csv")).unwrap();
    assert_eq!(written, success(path, &args));
    let (_, said) = failure(path, &[&args[..], &["-o", "out.csv"]].concat());
    assert!(said.contains("out.csv is there already"), "{said}");
    let (_, said) = failure(path, &[&args[..], &["-o", "no/out.csv"]].concat());
    assert!(said.contains("cannot write no/out.csv"), "{said}");
    assert!(said.contains("-o FILE"), "{said}");
    let names = std::fs::read_dir(path).unwrap();
    let left = names.filter(|e| {
        let name = e.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".tmp")
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn grey_and_colour_become_one_another() {
    let grey_net = trained(1);
    let colour_net = trained(3);
    for dir in [&grey_net, &colour_net] {
        let path = dir.path();
        png(
            &path.join("c.png"),
            SIZE,
            ColorType::Rgb,
            BitDepth::Eight,
            &[250, 240, 245],
        );
        png(
            &path.join("w.png"),
            SIZE,
            ColorType::Rgb,
            BitDepth::Sixteen,
            &[9, 1, 9, 1, 9, 1],
        );
        grey(&path.join("g.png"), SIZE, 240);
        let args = [
            "predict", "run", "c.png", "w.png", "g.png", "--format", "csv",
        ];
        assert_eq!(classes(&success(path, &args)), ["light", "dark", "light"]);
    }
}

#[test]
fn images_of_another_size_are_fitted_where_asked() {
    let dir = trained(1);
    let path = dir.path();
    grey(&path.join("large.png"), (60, 90), 250);
    grey(&path.join("small.png"), (1, 1), 10);
    for fit in ["stretch", "crop"] {
        let args = [
            "predict",
            "run",
            "large.png",
            "small.png",
            "--format",
            "csv",
        ];
        let csv = success(path, &[&args[..], &["--resize", fit]].concat());
        assert_eq!(classes(&csv), ["light", "dark"], "{fit}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = trained(1);
    let many: Vec<String> = (0..3000).map(|i| format!("data/./{i}.png")).collect();
    for name in &many {
        grey(&dir.path().join(name), SIZE, 10);
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_vanc"))
        .args(["predict", "run", "data", "--batch", "1", "--format", "csv"])
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 16];
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut first).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn inference_is_measured_of_a_file_and_of_a_run() {
    let dir = trained(1);
    let path = dir.path();
    let json = |args: &[&str]| -> Value {
        let flags = ["--inference", "--max-steps", "3", "--format", "json"];
        let text = success(path, &[&["bench"], args, &flags[..]].concat());
        serde_json::from_str(&text).unwrap()
    };
    for target in ["net.van", "run"] {
        let report = json(&[target]);
        let batches = report["inference"].as_array().unwrap();
        let sizes: Vec<_> = batches.iter().map(|b| b["batch"].as_u64()).collect();
        assert_eq!(sizes, [Some(1), Some(128)], "{target}");
        for batch in batches {
            let number = |key: &str| batch[key].as_f64().unwrap();
            assert_eq!(batch["repeats"], 3);
            assert!(number("seconds_median") <= number("seconds_percentile_99"));
            let speed = number("batch") / number("seconds_median");
            assert!((number("images_per_second") / speed - 1.0).abs() < 1e-9);
        }
    }
    for engine in [["--engine", "dfdx"], ["--device", "cpu"]] {
        let report = json(&[&["run", "--batch", "3"], &engine[..]].concat());
        assert_eq!(report["inference"][0]["batch"], 3);
        assert_eq!(report["inference"][1], Value::Null);
    }
    let text = success(path, &["bench", "run", "--inference", "--max-steps", "2"]);
    for word in [
        "batch",
        "median ms",
        "99 % ms",
        "images/s",
        "peak of the process",
    ] {
        assert!(text.contains(word), "no {word} in {text}");
    }
    // A step of training of a run's network, too.
    success(path, &["bench", "run", "--max-steps", "2"]);
}
