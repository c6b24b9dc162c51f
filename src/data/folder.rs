//! A folder of image files: `train/CLASS/*.png`, `test/CLASS/*.jpg`.

use super::picture::Encoded;
use super::progress::{Progress, Report};
use super::{Dataset, Request, Split};
use crate::error::{Error, Result};
use crate::ir::Shape;
use rayon::prelude::*;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Extensions of the files that are read; other files are passed over.
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Files decoded before the next error is looked for.
const CHUNK: usize = 1024;

const LAYOUT: &str =
    "a folder dataset has images at train/CLASS/*.png and test/CLASS/*.png (or .jpg, .jpeg)";

/// Image files, each with the index of its class.
type Files = Vec<(PathBuf, u32)>;

/// Reads the images below the `--data-dir` of `request`.
pub(super) fn load(request: &Request, report: Report) -> Result<Dataset> {
    let Some(dir) = request.dir else {
        return Err(
            Error::new("the data `folder` needs a folder, but none was given").help(format!(
                "give it by `--data-dir DIR`; {LAYOUT}; \
                 to go on at once without files: `--data synthetic`"
            )),
        );
    };
    if !matches!(request.input.channels(), 1 | 3) {
        return Err(Error::new(format!(
            "image files give 1 channel (grey) or 3 (RGB), but the model takes {}",
            request.input
        ))
        .help("write `input image(3, …)` or `input image(1, …)` in the model"));
    }
    let name = format!("folder {}", dir.display());
    let classes = classes(&dir.join("train"))?;
    request.accept(&name, request.input, classes.len())?;
    let train = train_files(&dir.join("train"), &classes)?;
    let test = test_files(&dir.join("test"), &classes)?;
    let progress = Progress::new(train.len() + test.len(), report);
    Dataset::new(
        name,
        request.input,
        classes
            .iter()
            .map(|class| class.to_string_lossy().into_owned())
            .collect(),
        decode_all(&train, request.input, &progress)?,
        decode_all(&test, request.input, &progress)?,
    )
}

/// Lists the class folders below `split`, sorted by name.
fn classes(split: &Path) -> Result<Vec<OsString>> {
    if !split.is_dir() {
        return Err(Error::new(format!("there is no folder {}", split.display())).help(LAYOUT));
    }
    let mut classes = entries(split)?;
    classes.retain(|name| split.join(name).is_dir());
    Ok(classes)
}

fn train_files(split: &Path, classes: &[OsString]) -> Result<Files> {
    let mut files = Files::new();
    for (index, class) in classes.iter().enumerate() {
        let dir = split.join(class);
        let images = images(&dir)?;
        if images.is_empty() {
            return Err(Error::new(format!("{} holds no image", dir.display()))
                .help("each class needs at least one .png, .jpg or .jpeg file to train on"));
        }
        files.extend(images.into_iter().map(|image| (image, index as u32)));
    }
    Ok(files)
}

/// Lists the test images like [`train_files`], but a class may be without any.
fn test_files(split: &Path, known: &[OsString]) -> Result<Files> {
    let mut files = Files::new();
    for class in classes(split)? {
        let dir = split.join(&class);
        let Ok(index) = known.binary_search(&class) else {
            return Err(Error::new(format!(
                "{} is a class that is not in the training split",
                dir.display()
            ))
            .help("each folder below test/ must be there below train/ too"));
        };
        files.extend(images(&dir)?.into_iter().map(|image| (image, index as u32)));
    }
    Ok(files)
}

/// Lists the image files in `dir`, sorted by name.
fn images(dir: &Path) -> Result<Vec<PathBuf>> {
    let names = entries(dir)?.into_iter().map(|name| dir.join(name));
    Ok(names
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
        })
        .collect())
}

/// Lists the names in `dir`, sorted; those that begin with a dot belong to the system.
fn entries(dir: &Path) -> Result<Vec<OsString>> {
    let failed = |error| Error::io("read the folder", dir, error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name());
    }
    names.retain(|name| !name.to_string_lossy().starts_with('.'));
    names.sort_unstable();
    Ok(names)
}

/// Decodes in parallel. Of several bad files the first by name is reported, and memory
/// is taken only for images that were there.
fn decode_all(files: &Files, shape: Shape, progress: &Progress) -> Result<Split> {
    let mut split = Split::default();
    for chunk in files.chunks(CHUNK) {
        let decoded: Vec<Result<Vec<u8>>> = chunk
            .par_iter()
            .map(|(path, _)| {
                let pixels = decode(path, shape);
                progress.advance();
                pixels
            })
            .collect();
        for (pixels, (_, class)) in decoded.into_iter().zip(chunk) {
            split.pixels.extend(pixels?);
            split.labels.push(*class);
        }
    }
    Ok(split)
}

/// Decodes the pixels of one file, channels × height × width. Grey and RGB are converted into
/// each other as the model needs; transparency is dropped.
fn decode(path: &Path, shape: Shape) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    let encoded = Encoded::new(path, &bytes)?;
    let expected = shape.extent();
    let found = encoded.extent();
    // Before the pixels are unpacked: the header alone must not cost memory.
    if found != expected {
        return Err(Error::new(format!(
            "{} is {}×{} (height × width), but the model takes {}×{}",
            path.display(),
            found.0,
            found.1,
            expected.0,
            expected.1
        ))
        .help("bring every image to the size in the model's `input image(…)`"));
    }
    let picture = encoded.decode(path)?;
    Ok(match shape.channels() {
        1 => picture.grey(),
        _ => picture.planes(),
    })
}
