//! Tests of IDX files, plain and packed, whole and broken.

use crate::support::{bad, good, mnist_shape, request, says};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};
use vanc::data::Request;
use vanc::error::Error;
use vanc::ir::{DatasetKind, Shape};

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

fn mnist(dir: &Path) -> Request<'_> {
    request(DatasetKind::Mnist, Some(dir), mnist_shape(), 10)
}

/// Encodes an IDX file with the header of `dims` and these bytes after it.
fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend(data);
    bytes
}

/// Encodes `count` images; every pixel of image i is `10 + i`.
fn images(count: u32) -> Vec<u8> {
    let data: Vec<u8> = (0..count).flat_map(|i| [10 + i as u8; 784]).collect();
    idx(&[count, 28, 28], &data)
}

fn labels(labels: &[u8]) -> Vec<u8> {
    idx(&[labels.len() as u32], labels)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes three training images and two test images, under names that `name` makes.
fn small(name: impl Fn(&str) -> String, pack: impl Fn(&[u8]) -> Vec<u8>) -> TempDir {
    let dir = tempdir().unwrap();
    for (file, bytes) in [
        (TRAIN_IMAGES, images(3)),
        (TRAIN_LABELS, labels(&[3, 0, 9])),
        (TEST_IMAGES, images(2)),
        (TEST_LABELS, labels(&[1, 2])),
    ] {
        fs::write(dir.path().join(name(file)), pack(&bytes)).unwrap();
    }
    dir
}

fn plain() -> TempDir {
    small(str::to_owned, <[u8]>::to_vec)
}

/// Error after one file is replaced; it must name that file.
fn broken(file: &str, bytes: &[u8]) -> Error {
    let dir = plain();
    let path = dir.path().join(file);
    fs::write(&path, bytes).unwrap();
    let error = bad(mnist(dir.path()));
    says(&error, &[&path.display().to_string()]);
    error
}

#[test]
fn plain_and_packed_files_of_every_name_read_alike() {
    let expected = good(mnist(plain().path()));
    assert_eq!(expected.train.labels, [3, 0, 9]);
    assert_eq!(expected.test.labels, [1, 2]);
    assert_eq!(expected.shape, mnist_shape());
    let pixels: Vec<u8> = [10, 11, 12]
        .into_iter()
        .flat_map(|pixel| [pixel; 784])
        .collect();
    assert_eq!(expected.train.pixels, pixels);
    assert_eq!(expected.classes[9], "9");

    let packed = |name: fn(&str) -> String| good(mnist(small(name, gzip).path()));
    let others = [
        packed(|name| format!("{name}.gz")),
        packed(|name| name.replace("-idx", ".idx")),
        packed(|name| name.replace("-idx", ".idx") + ".gz"),
        // Packed or not is seen in the file, not in its name.
        good(mnist(
            small(|name| format!("{name}.gz"), <[u8]>::to_vec).path(),
        )),
    ];
    for other in others {
        assert_eq!(
            (other.train, other.test),
            (expected.train.clone(), expected.test.clone())
        );
    }
}

#[test]
fn images_of_any_size_that_the_model_takes_are_read() {
    let dir = plain();
    for file in [TRAIN_IMAGES, TEST_IMAGES] {
        let count = if file == TRAIN_IMAGES { 3 } else { 2 };
        let bytes = idx(&[count, 2, 3], &vec![1; count as usize * 6]);
        fs::write(dir.path().join(file), bytes).unwrap();
    }
    let shape = Shape::image(1, 2, 3);
    let read = good(request(DatasetKind::Mnist, Some(dir.path()), shape, 10));
    assert_eq!((read.shape, read.train.pixels.len()), (shape, 18));
    let error = bad(mnist(dir.path()));
    says(
        &error,
        &[
            TRAIN_IMAGES,
            "1×2×3",
            "takes 1×28×28",
            "input image(1, 2, 3)",
        ],
    );
}

#[test]
fn fashion_mnist_comes_from_its_own_folder() {
    let parent = plain();
    let fashion = small(|name| format!("{name}.gz"), gzip);
    let all = labels(&[7, 7, 7]);
    fs::write(
        fashion.path().join(format!("{TRAIN_LABELS}.gz")),
        gzip(&all),
    )
    .unwrap();
    fs::rename(fashion.path(), parent.path().join("fashion_mnist")).unwrap();
    let ask = |kind| good(request(kind, Some(parent.path()), mnist_shape(), 10));
    let read = ask(DatasetKind::FashionMnist);
    assert_eq!(read.train.labels, [7, 7, 7]);
    assert_eq!(read.classes[7], "sneaker");
    assert_eq!(ask(DatasetKind::Mnist).train.labels, [3, 0, 9]);
}

#[test]
fn missing_files_are_named_with_where_to_get_them() {
    let empty = tempdir().unwrap();
    let error = bad(mnist(empty.path()));
    let place = empty.path().display().to_string();
    says(
        &error,
        &[
            TRAIN_IMAGES,
            &place,
            "http",
            "--data-dir",
            "--data synthetic",
        ],
    );
    let nowhere = empty.path().join("nowhere");
    says(&bad(mnist(&nowhere)), &["there is no folder", "nowhere"]);
    let dir = plain();
    fs::remove_file(dir.path().join(TEST_LABELS)).unwrap();
    says(&bad(mnist(dir.path())), &[TEST_LABELS, "--data synthetic"]);
}

#[test]
fn a_wrong_beginning_is_refused() {
    says(
        &broken(TRAIN_IMAGES, b"noise"),
        &["0x6e6f6973", "0x00000803"],
    );
    let page = b"<!DOCTYPE html>";
    for bytes in [page.to_vec(), gzip(page)] {
        says(
            &broken(TRAIN_IMAGES, &bytes),
            &["is an HTML page, not an IDX file", "get the file itself"],
        );
    }
    says(
        &broken(TRAIN_IMAGES, &idx(&[3, 0, 28], &[])),
        &["0×28, without a pixel"],
    );
    says(
        &broken(TRAIN_LABELS, &images(3)),
        &["0x00000803", "0x00000801"],
    );
    says(
        &broken(TEST_IMAGES, &[0, 0, 8, 3, 0, 0]),
        &["ends within its header, after offset 4"],
    );
    says(
        &broken(TEST_IMAGES, &[]),
        &["ends within its header, after offset 0"],
    );
}

#[test]
fn a_file_that_is_too_short_or_too_long_is_refused() {
    let mut short = images(3);
    short.truncate(1000);
    let parts = ["2352 elements, which end at offset 2368", "1000"];
    says(&broken(TRAIN_IMAGES, &short), &parts);
    says(&broken(TRAIN_IMAGES, &gzip(&short)), &parts);
    let long = [images(3), vec![0]].concat();
    let parts = ["end at offset 2368, but more bytes follow"];
    says(&broken(TRAIN_IMAGES, &long), &parts);
    says(&broken(TRAIN_IMAGES, &gzip(&long)), &parts);
    says(
        &broken(TEST_LABELS, &idx(&[2], &[1])),
        &["2 elements", "offset 10", "9"],
    );
}

#[test]
fn broken_gzip_streams_are_refused() {
    let noise: Vec<u8> = (0..3 * 784)
        .map(|i: u32| ((i * i * 31) >> 4) as u8)
        .collect();
    let packed = gzip(&idx(&[3, 28, 28], &noise));
    says(
        &broken(TRAIN_IMAGES, &packed[..packed.len() / 2]),
        &["breaks off at"],
    );
    says(
        &broken(TRAIN_IMAGES, &packed[..packed.len() - 4]),
        &["breaks off at 2368"],
    );
    let mut flipped = packed.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    broken(TRAIN_IMAGES, &flipped);
    broken(TRAIN_IMAGES, &[packed.clone(), b"more".to_vec()].concat());
    // The check sum, and the length after it.
    for from_end in [8, 4] {
        let mut flipped = packed.clone();
        let at = packed.len() - from_end;
        flipped[at] ^= 1;
        says(&broken(TRAIN_IMAGES, &flipped), &["after offset 2368"]);
    }
    for cut in 0..40.min(packed.len()) {
        broken(TRAIN_IMAGES, &packed[..cut]);
    }
}

#[test]
fn damage_in_both_splits_is_told_at_once() {
    let dir = plain();
    fs::write(dir.path().join(TRAIN_LABELS), b"").unwrap();
    fs::write(dir.path().join(TEST_IMAGES), images(2).split_at(99).0).unwrap();
    says(
        &bad(mnist(dir.path())),
        &[
            "2 files of mnist in",
            TRAIN_LABELS,
            TEST_IMAGES,
            "get it again",
        ],
    );
}

/// To open a pipe would wait for whoever writes to it.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused_at_once() {
    let dir = plain();
    let path = dir.path().join(TEST_LABELS);
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let error = bad(mnist(dir.path()));
    assert!(error.message.contains(TEST_LABELS), "{error}");
    assert!(
        error.message.contains("it is a pipe (FIFO), not a file"),
        "{error}"
    );
}

#[test]
fn a_header_cannot_ask_for_more_than_the_file_holds() {
    let huge = u32::MAX;
    // Refused for their sizes before anything is taken.
    for dims in [[huge, 28, 28], [3, huge, huge], [huge; 3]] {
        let header = idx(&dims, &[]);
        says(
            &broken(TRAIN_IMAGES, &header),
            &["it cannot hold more than 16"],
        );
        says(
            &broken(TRAIN_IMAGES, &gzip(&header)),
            &["it cannot hold more than"],
        );
    }
    says(
        &broken(TRAIN_LABELS, &idx(&[huge], &[1])),
        &["it cannot hold more than 9"],
    );
    // A stream that unpacks to far more than its header says is left after one byte more.
    let bomb = gzip(&[images(3), vec![0; 50 << 20]].concat());
    assert!(bomb.len() < 100_000);
    says(&broken(TRAIN_IMAGES, &bomb), &["more bytes follow"]);
}

#[test]
fn labels_must_fit_the_images_and_the_classes() {
    let error = broken(TRAIN_LABELS, &labels(&[1, 10, 3]));
    says(
        &error,
        &["label 10 in record 1 (offset 9)", "mnist has 0 to 9"],
    );
    let error = broken(TRAIN_LABELS, &labels(&[1, 2]));
    says(&error, &[TRAIN_IMAGES, "3 images", "2 labels"]);
    let dir = plain();
    fs::write(dir.path().join(TEST_IMAGES), images(0)).unwrap();
    fs::write(dir.path().join(TEST_LABELS), labels(&[])).unwrap();
    says(&bad(mnist(dir.path())), &[TEST_IMAGES, "holds no image"]);
}

#[test]
fn a_model_for_other_images_or_classes_is_refused() {
    let dir = plain();
    let ask = |input, classes| {
        bad(request(
            DatasetKind::Mnist,
            Some(dir.path()),
            input,
            classes,
        ))
    };
    says(
        &ask(Shape::image(3, 28, 28), 10),
        &["mnist", "1×28×28", "takes 3×28×28"],
    );
    says(&ask(mnist_shape(), 11), &["10 classes", "11 logits"]);
}

/// Reading gives data or an error, whatever the bytes are.
#[test]
fn mangled_files_never_panic() {
    let dir = plain();
    let path: PathBuf = dir.path().join(TRAIN_IMAGES);
    for packed in [false, true] {
        let whole = if packed { gzip(&images(3)) } else { images(3) };
        for at in 0..whole.len().min(60) {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                fs::write(&path, bytes).unwrap();
                let _ = vanc::data::load(&mnist(dir.path()), &|_, _| ());
            }
        }
    }
}
