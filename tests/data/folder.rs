//! Tests of folders of image files.

use crate::support::{bad, good, request, says};
use png::{BitDepth, ColorType};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use tempfile::{TempDir, tempdir};
use vanc::data::{Request, load};
use vanc::ir::{DatasetKind, Shape};

/// Height and width of the images; they differ, so that a mix-up shows.
const SHAPE: (usize, usize) = (4, 6);

fn folder(dir: &Path, channels: usize, classes: usize) -> Request<'_> {
    let shape = Shape::image(channels, SHAPE.0, SHAPE.1);
    request(DatasetKind::Folder, Some(dir), shape, classes)
}

/// A JPEG file of that size, all of it RGB (90, 120, 150).
const JPEG: &[u8] = include_bytes!("plain.jpg");

/// An image to be written as PNG.
struct Image {
    color: ColorType,
    depth: BitDepth,
    /// Rows and columns.
    shape: (usize, usize),
    bytes: Vec<u8>,
}

/// Writes an image to `dir/path`, folders included.
fn put(dir: &Path, path: &str, image: Image) {
    let mut bytes = Vec::new();
    let (height, width) = image.shape;
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(image.color);
    encoder.set_depth(image.depth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&image.bytes).unwrap();
    writer.finish().unwrap();
    put_file(dir, path, &bytes);
}

/// Writes a file to `dir/path`, folders included.
fn put_file(dir: &Path, path: &str, bytes: &[u8]) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// An image of one colour.
fn plain(color: ColorType, pixel: &[u8]) -> Image {
    Image {
        color,
        depth: BitDepth::Eight,
        shape: SHAPE,
        bytes: pixel.repeat(SHAPE.0 * SHAPE.1),
    }
}

fn rgb(colour: [u8; 3]) -> Image {
    plain(ColorType::Rgb, &colour)
}

/// Writes a folder of two classes, three training and two test images.
fn small() -> TempDir {
    let dir = tempdir().unwrap();
    put(dir.path(), "train/cat/b.png", rgb([1, 2, 3]));
    put(dir.path(), "train/cat/a.PNG", rgb([4, 5, 6]));
    put(dir.path(), "train/ant/z.png", rgb([7, 8, 9]));
    put(dir.path(), "test/cat/1.png", rgb([10, 11, 12]));
    put(dir.path(), "test/ant/2.png", rgb([13, 14, 15]));
    dir
}

#[test]
fn classes_and_files_come_by_name_and_other_files_are_passed_over() {
    let dir = small();
    fs::write(dir.path().join("train/cat/notes.txt"), "not an image").unwrap();
    fs::write(dir.path().join("train/list.csv"), "not a class").unwrap();
    fs::write(dir.path().join("train/cat/.a.png"), "what a system left").unwrap();
    fs::create_dir(dir.path().join("train/.cache")).unwrap();
    let read = good(folder(dir.path(), 3, 2));
    assert_eq!(read.classes, ["ant", "cat"]);
    assert_eq!(read.train.labels, [0, 1, 1]);
    assert_eq!(read.test.labels, [0, 1]);
    let firsts: Vec<u8> = read.train.pixels.chunks(72).map(|image| image[0]).collect();
    assert_eq!(firsts, [7, 4, 1]);
    // Planes, not interleaved channels.
    assert_eq!(
        read.train.pixels[..72],
        [[7; 24], [8; 24], [9; 24]].concat()
    );
    assert_eq!(read.name, format!("folder {}", dir.path().display()));
}

#[test]
fn rows_stay_rows() {
    let dir = small();
    let rows = (0..4).flat_map(|y| (0..6).flat_map(move |x| [10 * y + x, 0, 0]));
    let image = Image {
        bytes: rows.collect(),
        ..rgb([0; 3])
    };
    put(dir.path(), "train/ant/z.png", image);
    let read = good(folder(dir.path(), 3, 2));
    let red: Vec<u8> = (0..4)
        .flat_map(|y| (0..6).map(move |x| 10 * y + x))
        .collect();
    assert_eq!(read.train.pixels[..24], red);
}

#[test]
fn grey_and_colour_become_what_the_model_takes() {
    let dir = small();
    let grey = plain(ColorType::Grayscale, &[77]);
    put(dir.path(), "train/ant/z.png", grey);
    let clear = plain(ColorType::Rgba, &[1, 2, 3, 0]);
    put(dir.path(), "test/ant/2.png", clear);
    let read = good(folder(dir.path(), 3, 2));
    assert_eq!(read.train.pixels[..72], [77; 72]);
    assert_eq!(read.test.pixels[..72], [[1; 24], [2; 24], [3; 24]].concat());
    put(dir.path(), "train/cat/b.png", rgb([200, 200, 200]));
    let read = good(folder(dir.path(), 1, 2));
    assert_eq!(read.train.pixels[..24], [77; 24]);
    assert_eq!(read.train.pixels[48..], [200; 24]);
    says(
        &bad(folder(dir.path(), 2, 2)),
        &["1 channel (grey) or 3 (RGB)", "2×4×6"],
    );
}

/// The figures are those of Pillow's `convert("L")`.
#[test]
fn colours_are_weighed_as_pillow_weighs_them() {
    let dir = small();
    let colours = [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 255],
        [12, 200, 77],
        [201, 3, 250],
    ];
    let image = Image {
        bytes: colours.concat().repeat(4),
        ..rgb([0; 3])
    };
    put(dir.path(), "train/ant/z.png", image);
    let read = good(folder(dir.path(), 1, 2));
    assert_eq!(read.train.pixels[..6], [76, 150, 29, 255, 130, 90]);
}

/// As Pillow does, the higher byte of 16 bits is taken; grey of 16 bits, which Pillow cuts off,
/// is refused.
#[test]
fn sixteen_bits_are_cut_to_eight_or_refused() {
    let dir = small();
    let wide = |color, pixel: &[u8]| Image {
        depth: BitDepth::Sixteen,
        ..plain(color, pixel)
    };
    let grey = wide(ColorType::GrayscaleAlpha, &[0x80, 0xff, 0, 0]);
    put(dir.path(), "test/ant/2.png", grey);
    let colour = wide(ColorType::Rgb, &[1, 0xff, 2, 0xff, 3, 0]);
    put(dir.path(), "train/ant/z.png", colour);
    let read = good(folder(dir.path(), 3, 2));
    assert_eq!(read.test.pixels[..72], [128; 72]);
    assert_eq!(
        read.train.pixels[..72],
        [[1; 24], [2; 24], [3; 24]].concat()
    );
    put(
        dir.path(),
        "test/ant/2.png",
        wide(ColorType::Grayscale, &[0, 9]),
    );
    let file = dir.path().join("test/ant/2.png").display().to_string();
    says(
        &bad(folder(dir.path(), 3, 2)),
        &[&file, "grey of 16 bits", "8 bits"],
    );
}

#[test]
fn a_palette_is_looked_up() {
    let dir = small();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 6, 4);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Four);
    encoder.set_palette(vec![0, 0, 0, 9, 8, 7]);
    // Clear parts keep their colour.
    encoder.set_trns(vec![255, 0]);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0x11; 12]).unwrap();
    writer.finish().unwrap();
    put_file(dir.path(), "train/ant/z.png", &bytes);
    let read = good(folder(dir.path(), 3, 2));
    assert_eq!(
        read.train.pixels[..72],
        [[9; 24], [8; 24], [7; 24]].concat()
    );
}

/// Pictures are found without an extension and in folders below a class; what is none, or one of
/// another format, is counted by kind.
#[test]
fn pictures_are_known_by_their_first_bytes_and_the_rest_is_counted() {
    let dir = small();
    assert_eq!(good(folder(dir.path(), 3, 2)).left_out, None);
    put_file(dir.path(), "val/cat/a.jpg", JPEG);
    assert_eq!(
        good(folder(dir.path(), 3, 2)).left_out.unwrap(),
        "1 file or folder beside train and test"
    );
    put_file(dir.path(), "train/cat/no_extension", JPEG);
    put_file(dir.path(), "train/cat/deep/er/c.txt", JPEG);
    put_file(dir.path(), "train/cat/c.gif", b"GIF89a...");
    put_file(dir.path(), "test/cat/d.jpg", b"RIFF\0\0\0\0WEBPVP8 ");
    put_file(dir.path(), "test/cat/e.webp", b"RIFF\0\0\0\0WEBPVP8 ");
    put_file(dir.path(), "test/cat/f.bmp", b"BM\x36\x04\0\0\0\0\0\0");
    put_file(dir.path(), "train/cat/notes.txt", b"notes");
    put_file(dir.path(), "train/f.png", JPEG);
    let read = good(folder(dir.path(), 3, 2));
    assert_eq!(read.train.labels, [0, 1, 1, 1, 1]);
    assert_eq!(
        read.left_out.unwrap(),
        "2 WebP pictures, 1 BMP picture, 1 GIF picture, 3 more"
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_around_it_and_a_pipe_are_refused() {
    let dir = small();
    let link = dir.path().join("train/cat/again");
    std::os::unix::fs::symlink(dir.path().join("train"), &link).unwrap();
    says(
        &bad(folder(dir.path(), 3, 2)),
        &["again", "a link to a folder that it is in"],
    );
    fs::remove_file(&link).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&link).status();
    assert!(made.unwrap().success());
    says(
        &bad(folder(dir.path(), 3, 2)),
        &["again", "it is a pipe (FIFO), not a file"],
    );
}

#[test]
fn jpeg_files_are_read_whatever_they_are_called() {
    let dir = small();
    put_file(dir.path(), "train/cat/c.png", JPEG);
    put_file(dir.path(), "train/cat/d.jpeg", JPEG);
    let read = good(folder(dir.path(), 3, 2));
    assert_eq!(read.train.len(), 5);
    for image in read.train.pixels[3 * 72..].chunks(72) {
        for (&pixel, colour) in image
            .iter()
            .zip([[90u8; 24], [120; 24], [150; 24]].concat())
        {
            assert!(pixel.abs_diff(colour) <= 3, "{pixel} for {colour}");
        }
    }
}

#[test]
fn says_how_many_files_are_decoded() {
    let dir = small();
    let seen = Mutex::new(Vec::new());
    let report = |done, total| seen.lock().unwrap().push((done, total));
    load(&folder(dir.path(), 3, 2), &report).unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, [(0, 5), (1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]);
}

#[test]
fn a_folder_must_be_given_and_be_laid_out_right() {
    let shape = Shape::image(3, 4, 6);
    let error = bad(request(DatasetKind::Folder, None, shape, 2));
    says(
        &error,
        &["needs a folder", "--data-dir DIR", "--data synthetic"],
    );
    let empty = tempdir().unwrap();
    let train = empty.path().join("train").display().to_string();
    says(
        &bad(folder(empty.path(), 3, 2)),
        &["there is no folder", &train, "train/CLASS"],
    );

    let dir = small();
    fs::remove_dir_all(dir.path().join("test")).unwrap();
    says(
        &bad(folder(dir.path(), 3, 2)),
        &["there is no folder", "test"],
    );
    fs::create_dir(dir.path().join("test")).unwrap();
    says(
        &bad(folder(dir.path(), 3, 2)),
        &["the test split of folder", "no image"],
    );
}

#[test]
fn classes_must_be_those_of_the_model_and_of_the_training_split() {
    let dir = small();
    says(
        &bad(folder(dir.path(), 3, 10)),
        &["2 classes", "10 logits", "linear(2)"],
    );
    put(dir.path(), "test/dog/1.png", rgb([0; 3]));
    says(
        &bad(folder(dir.path(), 3, 2)),
        &["dog", "not in the training split"],
    );
    fs::create_dir(dir.path().join("train/dog")).unwrap();
    says(
        &bad(folder(dir.path(), 3, 3)),
        &["train/dog holds no image", "PNG or JPEG"],
    );
    put(dir.path(), "train/dog/1.png", rgb([0; 3]));
    good(folder(dir.path(), 3, 3));
}

/// The advice for another number of classes than the model's names the folders, and is nothing
/// that `vanc check` refuses, such as a network of one logit.
#[test]
fn the_folders_that_are_taken_for_classes_are_named() {
    let mut screens = Vec::new();
    let mut ask = |request: Request| {
        let text = bad(request).to_string();
        screens.push(text.replace(&request.dir.unwrap().display().to_string(), "DIR"));
    };
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("train")).unwrap();
    fs::create_dir(dir.path().join("test")).unwrap();
    ask(folder(dir.path(), 3, 10));
    put(dir.path(), "train/cat/a.png", rgb([0; 3]));
    ask(folder(dir.path(), 3, 10));
    for name in ["a", "b", "c", "d", "e", "f"] {
        fs::create_dir(dir.path().join("train").join(name)).unwrap();
    }
    ask(folder(dir.path(), 3, 10));
    put(dir.path(), "train/dog/a.png", rgb([0; 3]));
    ask(folder(dir.path(), 3, 10));
    ask(folder(dir.path(), 3, 2));
    ask(folder(dir.path(), 3, 8));
    ask(Request {
        trained: Some(&["ant".into(), "cat".into()]),
        ..folder(dir.path(), 3, 10)
    });
    insta::assert_snapshot!("class_folders", screens.join("\n\n"));
}

#[test]
fn a_test_class_may_be_empty() {
    let dir = small();
    fs::remove_dir_all(dir.path().join("test/ant")).unwrap();
    assert_eq!(good(folder(dir.path(), 3, 2)).test.labels, [1]);
}

#[test]
fn an_image_of_another_size_is_named() {
    let dir = small();
    let turned = Image {
        shape: (6, 4),
        ..rgb([0; 3])
    };
    put(dir.path(), "test/cat/1.png", turned);
    let file = dir.path().join("test/cat/1.png").display().to_string();
    says(&bad(folder(dir.path(), 3, 2)), &[&file, "6×4", "4×6"]);
}

#[test]
fn damaged_files_are_named() {
    let dir = small();
    let path = dir.path().join("train/cat/a.PNG");
    let whole = fs::read(&path).unwrap();
    let file = path.display().to_string();
    let damages: [(&[u8], &str); 5] = [
        (&whole[..whole.len() / 2], "cannot decode"),
        (&whole[..4], "not a PNG or JPEG picture"),
        (b"", "is empty"),
        (b"noise", "not a PNG or JPEG picture"),
        (b"<!DOCTYPE html>", "is an HTML page, not a PNG or JPEG"),
    ];
    for (bytes, what) in damages {
        fs::write(&path, bytes).unwrap();
        says(&bad(folder(dir.path(), 3, 2)), &[what, &file]);
    }
}

/// One report has all of them, of both splits: first those that begin like no picture.
#[test]
fn all_damaged_files_are_told_at_once() {
    let dir = small();
    for name in 0..4 {
        put_file(dir.path(), &format!("train/cat/c{name}.png"), b"noise");
    }
    put_file(dir.path(), "train/cat/d.jpg", &JPEG[..JPEG.len() - 9]);
    put_file(dir.path(), "test/ant/e.png", b"");
    let turned = Image {
        shape: (6, 4),
        ..rgb([0; 3])
    };
    put(dir.path(), "test/cat/1.png", turned);
    let error = bad(folder(dir.path(), 3, 2));
    let text = error
        .to_string()
        .replace(&dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!("damaged_files", text);
}

/// A header that promises 2³¹ rows and columns is refused by its size.
#[test]
fn an_image_bomb_is_not_unpacked() {
    let dir = small();
    let path = dir.path().join("train/ant/z.png");
    let mut bytes = fs::read(&path).unwrap();
    bytes[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    // The header's checksum, over its name and fields.
    let crc = {
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        crc.sum()
    };
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    let file = path.display().to_string();
    says(&bad(folder(dir.path(), 3, 2)), &[&file]);
}
