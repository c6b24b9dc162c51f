//! A folder of image files: `train/CLASS/*.png`, `test/CLASS/*.jpg`.

use super::classes::{Composed, indices};
use super::decode::{OtherSize, decode};
use super::faults::{Faults, LINE};
use super::left_out::LeftOut;
use super::listing::{Class, count_others, list};
use super::progress::{Progress, Report};
use super::{Dataset, Request, Split};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::ir::Shape;
use crate::text::listed_names;
use rayon::prelude::*;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Files decoded before their pixels are put beside the others.
const CHUNK: usize = 1024;

/// Class folders of a kind that an error names.
const NAMED: usize = 5;

const LAYOUT: &str = "images are at train/CLASS/*.png and test/CLASS/*.png (or .jpg, .jpeg)";

/// Advice for an image of another size.
const SIZE: &str = "bring every image to the size in the model's `input image(…)`";

/// Image files, each with the index of its class.
type Files = Vec<(PathBuf, u32)>;

/// Reads the images below the `--data-dir` of `request`.
pub(super) fn load(request: &Request, report: Report) -> Result<Dataset> {
    let dir = given(request)?;
    let name = format!("folder {}", dir.shown());
    let (mut left_out, mut faults) = (LeftOut::default(), Faults::default());
    let train = list(&split(dir, "train")?, &mut left_out, &mut faults)?;
    let test = list(&split(dir, "test")?, &mut left_out, &mut faults)?;
    count_others(dir, &["train", "test"], &mut left_out)?;
    if train.iter().any(|class| class.pictures.is_empty()) {
        // It may be so only because of files that cannot be read.
        faults.report(&name)?;
    }
    refuse_twins(&dir.join("train"), &train)?;
    let classes: Vec<String> = names(&train).into_iter().map(Cow::into_owned).collect();
    match request.trained {
        // Before the pictures are decoded.
        Some(trained) => drop(indices(&name, &classes, trained)?),
        None => {
            accept(request, &name, &train)?;
            refuse_empty(dir, &train, &left_out)?;
        }
    }
    let test = test_files(dir, test, &train)?;
    let train = train_files(train);
    let progress = Progress::new(train.len() + test.len(), report);
    let train = decode_all(&train, request.input, &progress, &mut faults);
    let test = decode_all(&test, request.input, &progress, &mut faults);
    faults.report(&name)?;
    let mut dataset = Dataset::new(name, request.input, classes, train, test)?;
    dataset.left_out = left_out.line();
    Ok(dataset)
}

/// Returns the folder that is given, if images can be read from it for the model.
fn given<'a>(request: &Request<'a>) -> Result<&'a Path> {
    let Some(dir) = request.dir else {
        return Err(
            Error::new("the data `folder` needs a folder, but none was given").help(format!(
                "give it by `--data-dir DIR`; {LAYOUT}; \
                 to go on at once without files: `--data synthetic`"
            )),
        );
    };
    if matches!(request.input.channels(), 1 | 3) {
        return Ok(dir);
    }
    let help = match request.trained {
        Some(_) => request.other_data(),
        None => "write `input image(3, …)` or `input image(1, …)` in the model".into(),
    };
    Err(Error::new(format!(
        "image files give 1 channel (grey) or 3 (RGB), but the model takes {}",
        request.input
    ))
    .help(help))
}

/// Finds the folder of a split.
fn split(dir: &Path, name: &str) -> Result<PathBuf> {
    let split = dir.join(name);
    match split.is_dir() {
        true => Ok(split),
        false => Err(Error::new(format!("there is no folder {}", split.shown())).help(LAYOUT)),
    }
}

/// Refuses class folders that are not as many as the model's logits, and names them.
fn accept(request: &Request, name: &str, classes: &[Class]) -> Result<()> {
    if classes.len() == request.classes {
        return Ok(());
    }
    let (empty, full): (Vec<&Class>, Vec<&Class>) =
        classes.iter().partition(|class| class.pictures.is_empty());
    let kinds = [("empty", &empty), ("with images", &full)];
    let found: String = kinds
        .into_iter()
        .filter(|(_, classes)| !classes.is_empty())
        .map(|(kind, classes)| format!("{LINE}{kind}: {}", named(classes)))
        .collect();
    let advice = match (full.len(), empty.len()) {
        (0 | 1, _) => format!("a network tells two classes or more apart{LINE}{LAYOUT}"),
        (classes, 0) => {
            format!("make the last layer `linear({classes})`, or choose other data")
        }
        (classes, _) if classes == request.classes => "remove the empty folders".into(),
        (classes, _) => format!(
            "remove the empty folders and make the last layer `linear({classes})`,{LINE}\
             or choose other data"
        ),
    };
    let plural = if classes.len() == 1 { "" } else { "es" };
    let found = match classes {
        [] => "there is no class folder below train/".to_string(),
        _ => format!("class folders below train/{found}"),
    };
    Err(Error::new(format!(
        "{name} has {} class{plural}, but the model makes {} logits",
        classes.len(),
        request.classes
    ))
    .help(format!("{found}{LINE}{advice}")))
}

/// Refuses class folders that look alike: one of them was copied from another system.
fn refuse_twins(split: &Path, classes: &[Class]) -> Result<()> {
    let names = names(classes);
    match Composed::new(names.iter().map(AsRef::as_ref)).explain(&names) {
        None => Ok(()),
        Some(twins) => Err(
            Error::new(format!("class folders in {} look alike", split.shown()))
                .help(format!("{twins};{LINE}put their images into one folder")),
        ),
    }
}

/// Returns the names of `classes` as text.
fn names<'a>(classes: impl IntoIterator<Item = &'a Class>) -> Vec<Cow<'a, str>> {
    let names = classes
        .into_iter()
        .map(|class| class.name.to_string_lossy());
    names.collect()
}

/// Names the first of `classes`, and counts the others.
fn named(classes: &[&Class]) -> String {
    listed_names(&names(classes.iter().copied()), NAMED)
}

/// Refuses classes without an image to train on.
fn refuse_empty(dir: &Path, train: &[Class], left_out: &LeftOut) -> Result<()> {
    let empty: Vec<&Class> = train
        .iter()
        .filter(|class| class.pictures.is_empty())
        .collect();
    let message = match empty.as_slice() {
        [] => return Ok(()),
        [class] => {
            let dir = dir.join("train").join(&class.name);
            format!("{} holds no image", dir.shown())
        }
        several => format!(
            "{} class folders in {} hold no image: {}",
            several.len(),
            dir.join("train").shown(),
            named(several)
        ),
    };
    let passed_over = left_out
        .line()
        .map(|line| format!("; passed over: {line}"))
        .unwrap_or_default();
    Err(Error::new(message).help(format!(
        "each class needs at least one PNG or JPEG file to train on{passed_over}"
    )))
}

fn train_files(classes: Vec<Class>) -> Files {
    let files = classes.into_iter().zip(0..).flat_map(|(class, index)| {
        let pictures = class.pictures.into_iter();
        pictures.map(move |picture| (picture, index))
    });
    files.collect()
}

/// Lists the test images like [`train_files`], but a class may be without any.
fn test_files(dir: &Path, classes: Vec<Class>, train: &[Class]) -> Result<Files> {
    let index = |class: &Class| train.binary_search_by(|known| known.name.cmp(&class.name));
    let unknown: Vec<&Class> = classes
        .iter()
        .filter(|class| index(class).is_err())
        .collect();
    if let [first, ..] = unknown.as_slice() {
        let message = match unknown.as_slice() {
            [_] => format!(
                "{} is a class that is not in the training split",
                dir.join("test").join(&first.name).shown()
            ),
            several => format!(
                "{} classes in {} are not in the training split: {}",
                several.len(),
                dir.join("test").shown(),
                named(several)
            ),
        };
        let known = names(train);
        let composed = Composed::new(known.iter().map(AsRef::as_ref));
        let twins = composed.explain(&names(unknown.iter().copied()));
        let twins = twins
            .map(|twins| format!("{twins};{LINE}"))
            .unwrap_or_default();
        return Err(Error::new(message).help(format!(
            "{twins}each folder below test/ must be there below train/ too"
        )));
    }
    let mut files = Files::new();
    for class in classes {
        let index = index(&class).unwrap_or_default() as u32;
        files.extend(class.pictures.into_iter().map(|picture| (picture, index)));
    }
    Ok(files)
}

/// Decodes in parallel. Files that cannot be used are put into `faults`, in the order of their
/// names, and memory is taken only for images that were there.
fn decode_all(files: &Files, shape: Shape, progress: &Progress, faults: &mut Faults) -> Split {
    let mut split = Split::default();
    for chunk in files.chunks(CHUNK) {
        let decoded: Vec<Result<Vec<u8>>> = chunk
            .par_iter()
            .map(|(path, _)| {
                let pixels = decode(path, shape, OtherSize::Refused(SIZE));
                progress.advance();
                pixels
            })
            .collect();
        for (pixels, (_, class)) in decoded.into_iter().zip(chunk) {
            if let Some(pixels) = faults.take(pixels) {
                split.pixels.extend(pixels);
                split.labels.push(*class);
            }
        }
    }
    split
}
