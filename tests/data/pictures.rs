//! Tests of what is read from picture files, and of damaged ones.

use crate::support::{bad, good, request, says};
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};
use vanc::data::{Dataset, Request};
use vanc::error::Error;
use vanc::ir::{DatasetKind, Shape};

/// JPEG files of 24×16 (height × width) from Pillow: of several scans, with restart markers,
/// and of grey in one scan.
const JPEGS: [&[u8]; 3] = [
    include_bytes!("progressive.jpg"),
    include_bytes!("restarts.jpg"),
    include_bytes!("grey.jpg"),
];

fn folder(dir: &Path, channels: usize) -> Request<'_> {
    let shape = Shape::image(channels, 24, 16);
    request(DatasetKind::Folder, Some(dir), shape, 2)
}

/// Writes a folder of two classes whose first training file holds `bytes`.
fn with(bytes: &[u8]) -> TempDir {
    let dir = tempdir().unwrap();
    for class in ["train/a", "train/b", "test/a"] {
        fs::create_dir_all(dir.path().join(class)).unwrap();
        fs::write(dir.path().join(class).join("x.jpg"), JPEGS[0]).unwrap();
    }
    fs::write(dir.path().join("train/a/x.jpg"), bytes).unwrap();
    dir
}

fn read(bytes: &[u8], channels: usize) -> Dataset {
    good(folder(with(bytes).path(), channels))
}

fn refused(bytes: &[u8]) -> Error {
    let error = bad(folder(with(bytes).path(), 3));
    says(&error, &["train/a/x.jpg", "replace or remove it"]);
    error
}

/// Every shorter file is refused, be it by a byte.
#[test]
fn a_jpeg_file_cut_short_is_refused() {
    for jpeg in JPEGS {
        read(jpeg, 3);
        let shorter = (0..jpeg.len()).step_by(7);
        for length in shorter.chain([jpeg.len() - 2, jpeg.len() - 1]) {
            refused(&jpeg[..length]);
        }
        for percent in [99, 90, 75, 50] {
            refused(&jpeg[..jpeg.len() * percent / 100]);
        }
    }
    says(
        &refused(&JPEGS[2][..JPEGS[2].len() - 2]),
        &["cut short", "offset"],
    );
}

/// So is a file that lost codes before its end marker, which decoders fill with zeros.
#[test]
fn a_jpeg_file_that_lost_codes_is_refused() {
    for jpeg in JPEGS {
        let scan = jpeg
            .windows(2)
            .rposition(|pair| pair == [0xff, 0xda])
            .unwrap();
        let end = jpeg.len() - 2;
        // A file may end before a scan that only refines, but not within one.
        for cut in scan + 16..end - 1 {
            let is_code = jpeg[cut - 1] != 0xff && jpeg[cut] != 0xff;
            if is_code {
                let error = refused(&[&jpeg[..cut], &jpeg[end..]].concat());
                says(&error, &["offset"]);
            }
        }
    }
    // Nor may a component be without any scan.
    let grey = JPEGS[2];
    let scan = grey
        .windows(2)
        .position(|pair| pair == [0xff, 0xda])
        .unwrap();
    let headers = [&grey[..scan], b"\xff\xd9"].concat();
    refused(&headers);
}

/// Bytes after the end, and between segments, do no harm.
#[test]
fn a_jpeg_file_with_more_than_a_picture_is_read() {
    for jpeg in JPEGS {
        let expected = read(jpeg, 3).train;
        assert_eq!(read(&[jpeg, b"trailer"].concat(), 3).train, expected);
        let between = [&jpeg[..2], b"\0\0\0\0\0\0", &jpeg[2..]].concat();
        let _ = vanc::data::load(&folder(with(&between).path(), 3), &|_, _| ());
    }
}

/// Mangled files are read or refused, and nothing else happens.
#[test]
fn mangled_jpeg_files_never_panic() {
    let dir = with(JPEGS[0]);
    let path = dir.path().join("train/a/x.jpg");
    for jpeg in JPEGS {
        for at in (2..jpeg.len()).step_by(3) {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = jpeg.to_vec();
                bytes[at] ^= flip;
                fs::write(&path, bytes).unwrap();
                let _ = vanc::data::load(&folder(dir.path(), 3), &|_, _| ());
            }
        }
    }
}

/// A PNG file whose last chunks are damaged or missing is refused, though all pixels are there.
#[test]
fn every_check_sum_of_a_png_file_counts() {
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, 16, 24);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let noise: Vec<u8> = (0..24 * 16 * 3)
        .map(|i: u32| ((i * i * 31) >> 4) as u8)
        .collect();
    writer.write_image_data(&noise).unwrap();
    writer.finish().unwrap();
    read(&png, 3);
    for length in (8..png.len()).step_by(5).chain([png.len() - 1]) {
        refused(&png[..length]);
    }
    // The sum of the pixels ends 12 bytes before the end of the file, which the last chunk is.
    for at in [30, 60, png.len() - 13, png.len() - 1] {
        let mut flipped = png.clone();
        flipped[at] ^= 1;
        refused(&flipped);
    }
}
