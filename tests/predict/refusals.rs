//! What cannot be predicted, and how it is said.

use crate::support::{SIZE, failure, grey, png, success, trained};
use png::{BitDepth, ColorType};
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;

fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}

#[test]
fn files_that_cannot_be_read_are_a_line_each_and_the_others_are_predicted() {
    let dir = trained(1);
    let path = dir.path();
    let photos = path.join("photos");
    grey(&photos.join("good.png"), SIZE, 12);
    grey(&photos.join("large.png"), (7, 9), 12);
    let sixteen = photos.join("sixteen.png");
    png(
        &sixteen,
        SIZE,
        ColorType::Grayscale,
        BitDepth::Sixteen,
        &[0, 9],
    );
    let whole = std::fs::read(photos.join("good.png")).unwrap();
    std::fs::write(photos.join("cut.png"), &whole[..whole.len() - 20]).unwrap();
    std::fs::write(photos.join("empty.png"), "").unwrap();
    std::fs::write(path.join("page"), "<html>").unwrap();
    let args = [
        "predict", "run", "gone.png", "page", "photos", "--format", "csv",
    ];
    let (csv, said) = failure(path, &args);
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains("photos/good.png,1,dark,0,"), "{csv}");
    insta::assert_snapshot!("failures", said);
    // The same into a file, which has what could be predicted.
    let (_, _) = failure(path, &[&args[..], &["-o", "out.csv"]].concat());
    assert_eq!(std::fs::read_to_string(path.join("out.csv")).unwrap(), csv);
}

#[test]
fn folders_without_images_and_no_inputs_are_refused() {
    let dir = trained(1);
    let path = dir.path();
    std::fs::create_dir_all(path.join("texts/below")).unwrap();
    std::fs::write(path.join("texts/below/a.txt"), "text").unwrap();
    let (out, said) = failure(path, &["predict", "run", "texts", "-o", "out.csv"]);
    assert_eq!(out, "");
    says(
        &said,
        &[
            "texts holds no image",
            "1 other file",
            "nothing was predicted",
        ],
    );
    assert!(!path.join("out.csv").exists());
    let (_, said) = failure(path, &["predict", "run"]);
    says(&said, &["nothing to predict", "--split test"]);
    let (_, said) = failure(path, &["predict", "run", "texts", "--split", "test"]);
    says(&said, &["both are named"]);
    let (_, said) = failure(
        path,
        &["predict", "run", "--split", "test", "--resize", "crop"],
    );
    says(&said, &["--resize"]);
}

#[test]
fn a_file_named_twice_is_predicted_once() {
    let dir = trained(1);
    let path = dir.path();
    grey(&path.join("photos/a.png"), SIZE, 12);
    let args = [
        "predict",
        "run",
        "photos",
        "./photos/a.png",
        "--format",
        "csv",
    ];
    let output = crate::support::vanc(path, &args);
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
    says(
        &String::from_utf8_lossy(&output.stderr),
        &["note: 1 file is named more than once"],
    );
}

#[test]
fn counts_that_mean_nothing_are_refused() {
    let dir = trained(1);
    let path = dir.path();
    let refused = |flags: &[&str]| failure(path, &[&["predict", "run", "data"], flags].concat()).1;
    says(
        &refused(&["--top", "0"]),
        &["--top 0: there must be at least one class"],
    );
    says(
        &refused(&["--top", "99"]),
        &["--top 99: the network has 2 classes", "--top 2"],
    );
    says(&refused(&["--batch", "0"]), &["--batch 0"]);
    says(&refused(&["--threads", "0"]), &["--threads 0"]);
    let output = crate::support::vanc(path, &["predict", "run", "--split", "validation"]);
    assert_eq!(output.status.code(), Some(2));
    says(
        &String::from_utf8_lossy(&output.stderr),
        &["validation", "test, train"],
    );
}

/// Replaces the tensor `linear0.weight` of a checkpoint by one of this shape and value.
fn tampered(from: &Path, to: &Path, shape: Vec<usize>, value: f32) {
    let mut meta = std::collections::HashMap::new();
    let file = std::fs::read(from).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&file).unwrap();
    meta.extend(header.metadata().clone().unwrap());
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    let mut views: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, view)| {
            let data = view.data().to_vec();
            (name.to_string(), view.dtype(), view.shape().to_vec(), data)
        })
        .collect();
    views.sort_by(|a, b| a.0.cmp(&b.0));
    let weight = views.iter_mut().find(|v| v.0.ends_with(".weight")).unwrap();
    let count: usize = shape.iter().product();
    weight.2 = shape;
    weight.3 = value.to_le_bytes().repeat(count);
    // The sum over metadata, names, shapes and bytes, as checkpoints have it.
    let mut crc = flate2::Crc::new();
    crc.update(meta["vanc"].as_bytes());
    crc.update(meta.get("state").map_or(&[], |state| state.as_bytes()));
    for (name, _, shape, data) in &views {
        crc.update(name.as_bytes());
        shape
            .iter()
            .for_each(|&extent| crc.update(&(extent as u64).to_le_bytes()));
        crc.update(data);
    }
    meta.insert("crc32".into(), format!("{:08x}", crc.sum()));
    let views = views.iter().map(|(name, kind, shape, data)| {
        (name, TensorView::new(*kind, shape.clone(), data).unwrap())
    });
    std::fs::write(to, safetensors::serialize(views, Some(meta)).unwrap()).unwrap();
}

#[test]
fn weights_that_are_wrong_are_refused() {
    let dir = trained(1);
    let path = dir.path();
    let last = path.join("run/checkpoints/last.safetensors");
    let refused = |shape, value| {
        tampered(&last, &path.join("other.safetensors"), shape, value);
        let args = ["predict", "other.safetensors", "data/test", "-o", "out.csv"];
        let said = failure(path, &args).1;
        assert!(!path.join("out.csv").exists());
        said
    };
    says(
        &refused(vec![2, 24], f32::NAN),
        &["other.safetensors", "weight", "NaN"],
    );
    says(
        &refused(vec![2, 25], 0.0),
        &["other.safetensors", "weight", "[2, 24]"],
    );
    // The same way to a file that is none of these is fine.
    tampered(&last, &path.join("other.safetensors"), vec![2, 24], 0.5);
    success(path, &["predict", "other.safetensors", "data/test"]);
    // Numbers that are finite in the file, and not in the network.
    let said = refused_by_overflow(path, &last);
    says(
        &said,
        &[
            "the network's numbers overflow",
            "6 inputs were not predicted",
        ],
    );
    let (_, said) = failure(path, &["predict", "net.van", "data/test"]);
    says(&said, &["net.van"]);
}

fn refused_by_overflow(path: &Path, last: &Path) -> String {
    tampered(last, &path.join("other.safetensors"), vec![2, 24], f32::MAX);
    failure(path, &["predict", "other.safetensors", "data/test"]).1
}
