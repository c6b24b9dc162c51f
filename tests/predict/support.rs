//! Folders of pictures, networks trained on them, and the program run beside them.

use png::{BitDepth, ColorType};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::{TempDir, tempdir};

/// Height and width of the images; they differ, so that a mix-up shows.
pub const SIZE: (usize, usize) = (6, 4);

/// Runs the program in `dir`.
pub fn vanc(dir: &Path, args: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_vanc"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output();
    command.unwrap()
}

/// Standard output of a run that must not fail.
pub fn success(dir: &Path, args: &[&str]) -> String {
    let output = vanc(dir, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Standard output and standard error of a run that must fail.
pub fn failure(dir: &Path, args: &[&str]) -> (String, String) {
    let output = vanc(dir, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    (String::from_utf8(output.stdout).unwrap(), said)
}

/// Writes a PNG file of `size` rows and columns, each pixel of these bytes.
pub fn png(path: &Path, size: (usize, usize), color: ColorType, depth: BitDepth, pixel: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, size.1 as u32, size.0 as u32);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    writer
        .write_image_data(&pixel.repeat(size.0 * size.1))
        .unwrap();
    writer.finish().unwrap();
}

/// Writes a grey PNG file of one value.
pub fn grey(path: &Path, size: (usize, usize), value: u8) {
    png(path, size, ColorType::Grayscale, BitDepth::Eight, &[value]);
}

/// A folder with the dataset `data` of dark and light pictures, and the run `run` of a network
/// of so many channels that was trained on it.
pub fn trained(channels: usize) -> TempDir {
    let dir = tempdir().unwrap();
    for (split, values) in [("train", 0..6), ("test", 6..9)] {
        for value in values {
            let picture =
                |class: &str| dir.path().join(format!("data/{split}/{class}/{value}.png"));
            grey(&picture("dark"), SIZE, 10 + value);
            grey(&picture("light, or nearly"), SIZE, 240 + value);
        }
    }
    let net = format!(
        "model m {{ input image({channels}, 6, 4) linear(2) }}\n\
         train {{ data: folder epochs: 3 batch: 4 optimizer: sgd(rate: 0.02) }}\n"
    );
    std::fs::write(dir.path().join("net.van"), net).unwrap();
    let train = ["train", "net.van", "--data-dir", "data", "--out", "run"];
    success(dir.path(), &[&train[..], &["--quiet"]].concat());
    dir
}
