//! Tests of CIFAR's binary files.

use crate::support::{bad, cifar_shape, good, request, says, small, synthetic};
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};
use vanc::data::{Request, Split};
use vanc::ir::{DatasetKind, Shape};

fn cifar10(dir: &Path) -> Request<'_> {
    request(DatasetKind::Cifar10, Some(dir), cifar_shape(), 10)
}

fn cifar100(dir: &Path) -> Request<'_> {
    request(DatasetKind::Cifar100, Some(dir), cifar_shape(), 100)
}

/// Encodes `split` as CIFAR-10 records.
fn records(split: &Split) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (label, pixels) in split.labels.iter().zip(split.pixels.chunks(3072)) {
        bytes.push(*label as u8);
        bytes.extend_from_slice(pixels);
    }
    bytes
}

/// Encodes one record of grey pixels.
fn record(labels: &[u8], pixel: u8) -> Vec<u8> {
    [labels, &[pixel; 3072]].concat()
}

/// Writes a small CIFAR-10: label and pixel of each training file are its number.
fn small_cifar10(train_files: &[u8]) -> TempDir {
    let dir = tempdir().unwrap();
    for &n in train_files {
        let path = dir.path().join(format!("data_batch_{n}.bin"));
        fs::write(path, record(&[n % 10], n)).unwrap();
    }
    fs::write(dir.path().join("test_batch.bin"), record(&[9], 0)).unwrap();
    dir
}

#[test]
fn the_synthetic_dataset_comes_back_as_it_was_written() {
    let drawn = synthetic(small(), cifar_shape());
    let dir = tempdir().unwrap();
    let bytes = records(&drawn.train);
    // Files of different lengths: 25 and 35 records.
    let (first, second) = bytes.split_at(25 * 3073);
    fs::write(dir.path().join("data_batch_1.bin"), first).unwrap();
    fs::write(dir.path().join("data_batch_2.bin"), second).unwrap();
    fs::write(dir.path().join("test_batch.bin"), records(&drawn.test)).unwrap();
    let read = good(cifar10(dir.path()));
    assert_eq!((read.train, read.test), (drawn.train, drawn.test));
    assert_eq!((read.mean, read.std), (drawn.mean, drawn.std));
    assert_eq!(
        (read.classes.len(), read.classes[9].as_str()),
        (10, "truck")
    );
    assert_eq!(read.name, format!("cifar10 in {}", dir.path().display()));
}

#[test]
fn batches_come_in_the_order_of_their_numbers() {
    let dir = small_cifar10(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    let read = good(cifar10(dir.path()));
    assert_eq!(read.train.labels, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
}

#[test]
fn a_lost_batch_is_noticed() {
    let dir = small_cifar10(&[1, 2, 4]);
    let error = bad(cifar10(dir.path()));
    says(
        &error,
        &["needs the file data_batch_3.bin", "kriz/cifar.html"],
    );
    fs::remove_file(dir.path().join("data_batch_4.bin")).unwrap();
    fs::remove_file(dir.path().join("test_batch.bin")).unwrap();
    says(
        &bad(cifar10(dir.path())),
        &["needs the file test_batch.bin"],
    );
}

/// A set of one's own may have fewer files than the published one; that is said.
#[test]
fn the_last_batches_may_be_missing_but_not_in_silence() {
    let line = |files: &[u8]| good(cifar10(small_cifar10(files).path())).left_out;
    assert_eq!(line(&[1, 2, 3, 4, 5]), None);
    assert_eq!(
        line(&[1, 2, 3, 4]).unwrap(),
        "data_batch_5.bin, which is not there"
    );
    assert_eq!(
        line(&[1]).unwrap(),
        "data_batch_2.bin to data_batch_5.bin, which are not there"
    );
}

#[test]
fn all_damaged_files_are_told_at_once_and_those_of_other_programs_named() {
    let dir = small_cifar10(&[1, 2]);
    fs::write(dir.path().join("data_batch_2.bin"), b"<html>404").unwrap();
    fs::write(dir.path().join("test_batch.bin"), b"\x80\x04\x95\0\0").unwrap();
    says(
        &bad(cifar10(dir.path())),
        &[
            "2 files of cifar10 in",
            "data_batch_2.bin is an HTML page, not a file of CIFAR's binary version",
            "test_batch.bin is a Python pickle",
            "get the file itself again",
            "binary version",
        ],
    );
}

#[test]
fn an_absurd_batch_number_is_a_lost_batch() {
    let dir = small_cifar10(&[1]);
    fs::write(
        dir.path().join("data_batch_4294967295.bin"),
        record(&[1], 0),
    )
    .unwrap();
    says(&bad(cifar10(dir.path())), &["data_batch_2.bin"]);
}

#[test]
fn a_record_cut_short_is_named() {
    let dir = small_cifar10(&[1]);
    let path = dir.path().join("data_batch_1.bin");
    let mut bytes = record(&[1], 0).repeat(3);
    bytes.truncate(2 * 3073 + 100);
    fs::write(&path, &bytes).unwrap();
    let file = path.display().to_string();
    let error = bad(cifar10(dir.path()));
    says(
        &error,
        &[
            &file,
            "record 2 (offset 6146) has 100 bytes instead of 3073",
        ],
    );
    fs::write(&path, []).unwrap();
    says(&bad(cifar10(dir.path())), &[&file, "the file is empty"]);
}

#[test]
fn a_label_out_of_range_is_named() {
    let dir = small_cifar10(&[1]);
    let path = dir.path().join("test_batch.bin");
    let bytes = [record(&[9], 0), record(&[10], 0)].concat();
    fs::write(&path, bytes).unwrap();
    let file = path.display().to_string();
    let error = bad(cifar10(dir.path()));
    says(
        &error,
        &[&file, "label 10 in record 1 (offset 3073)", "0 to 9"],
    );
}

#[test]
fn cifar100_has_the_fine_labels() {
    let dir = tempdir().unwrap();
    let train = [record(&[19, 99], 1), record(&[0, 0], 2)].concat();
    fs::write(dir.path().join("train.bin"), train).unwrap();
    fs::write(dir.path().join("test.bin"), record(&[3, 42], 3)).unwrap();
    let read = good(cifar100(dir.path()));
    assert_eq!(read.train.labels, [99, 0]);
    assert_eq!(read.test.labels, [42]);
    assert_eq!(read.train.pixels[3071..3073], [1, 2]);
    assert_eq!(read.classes.len(), 100);
    let mut sorted = read.classes.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(
        sorted, read.classes,
        "the names are in alphabetical order, each once"
    );

    for (labels, says_what) in [
        ([20, 0], "label 20 in record 0 (offset 0)"),
        ([0, 100], "label 100 in record 0 (offset 1)"),
    ] {
        fs::write(dir.path().join("test.bin"), record(&labels, 0)).unwrap();
        says(&bad(cifar100(dir.path())), &["test.bin", says_what]);
    }
}

#[test]
fn the_usual_subfolder_is_found() {
    let parent = tempdir().unwrap();
    let dir = small_cifar10(&[1]);
    fs::rename(dir.path(), parent.path().join("cifar-10-batches-bin")).unwrap();
    assert_eq!(good(cifar10(parent.path())).train.labels, [1]);
    let error = bad(cifar100(parent.path()));
    let looked = parent.path().join("cifar-100-binary").display().to_string();
    says(
        &error,
        &["train.bin", &looked, "--data synthetic", "VANC_DATA"],
    );
}

#[test]
fn a_model_for_other_images_or_classes_is_refused() {
    let dir = small_cifar10(&[1]);
    let kind = DatasetKind::Cifar10;
    let error = bad(request(kind, Some(dir.path()), Shape::image(1, 28, 28), 10));
    says(
        &error,
        &[
            "cifar10 are 3×32×32",
            "takes 1×28×28",
            "input image(3, 32, 32)",
        ],
    );
    let error = bad(request(kind, Some(dir.path()), cifar_shape(), 100));
    says(
        &error,
        &["cifar10 has 10 classes", "100 logits", "linear(10)"],
    );
}

/// Pixels are white or black only, so that the statistics are known by hand; green is
/// constant.
#[test]
fn statistics_are_of_the_training_split_and_a_constant_channel_is_harmless() {
    let dir = small_cifar10(&[1]);
    let image = [[255; 1024], [51; 1024], [0; 1024]].concat();
    let mut bytes = [&[0], &image[..]].concat();
    bytes.extend([&[1], &[[0; 1024], [51; 1024], [255; 1024]].concat()[..]].concat());
    fs::write(dir.path().join("data_batch_1.bin"), bytes).unwrap();
    let read = good(cifar10(dir.path()));
    assert_eq!(read.mean, [0.5, 0.2, 0.5]);
    assert_eq!(read.std, [0.5, 1.0, 0.5]);
    let sampler = vanc::data::Sampler {
        seed: 0,
        batch: 1,
        shuffle: false,
        augment: vec![],
    };
    let batch = sampler.epoch(2, 0).batch(&read, 0);
    let channel = |c| batch.images.iter().skip(c).step_by(3);
    assert!(channel(0).all(|&value| value == 1.0));
    assert!(channel(1).all(|&value| value.abs() < 1e-6));
    assert!(channel(2).all(|&value| value == -1.0));
}
