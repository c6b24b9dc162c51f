//! CIFAR-10 and CIFAR-100 in their binary version.
//!
//! A file is records without a header: the label (for CIFAR-100 the coarse, then the
//! fine one), then 3×32×32 bytes, red, green, blue, each row by row.

use super::faults::Faults;
use super::locate::{Part, Source};
use super::progress::{Progress, Report};
use super::{Dataset, Request, Split};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use crate::foreign;
use crate::ir::Shape;
use std::path::{Path, PathBuf};

/// Rows and columns of an image.
const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;

/// A dataset in CIFAR's binary form.
pub(super) struct Cifar {
    pub source: Source,
    /// Number of values of each label byte of a record; the last byte is the class.
    label_bytes: &'static [usize],
    /// Names of the classes in order, separated by blanks.
    classes: &'static str,
    test: &'static str,
}

/// Describes a file of `records` records with `labels` label bytes each.
const fn part(names: &'static [&'static str], labels: usize, records: usize) -> Part {
    Part {
        names,
        plain: (records * (labels + PIXELS)) as u64,
        packed: None,
    }
}

pub(super) const CIFAR10: Cifar = Cifar {
    source: Source {
        name: "cifar10",
        folders: &["cifar-10-batches-bin", "cifar10"],
        parts: &[
            part(&["data_batch_1.bin"], 1, 10_000),
            part(&["data_batch_2.bin"], 1, 10_000),
            part(&["data_batch_3.bin"], 1, 10_000),
            part(&["data_batch_4.bin"], 1, 10_000),
            part(&["data_batch_5.bin"], 1, 10_000),
            part(&["test_batch.bin"], 1, 10_000),
        ],
        homepage: "https://www.cs.toronto.edu/~kriz/cifar.html (CIFAR-10 binary version)",
    },
    label_bytes: &[10],
    classes: "airplane automobile bird cat deer dog frog horse ship truck",
    test: "test_batch.bin",
};

pub(super) const CIFAR100: Cifar = Cifar {
    source: Source {
        name: "cifar100",
        folders: &["cifar-100-binary", "cifar100"],
        parts: &[
            part(&["train.bin"], 2, 50_000),
            part(&["test.bin"], 2, 10_000),
        ],
        homepage: "https://www.cs.toronto.edu/~kriz/cifar.html (CIFAR-100 binary version)",
    },
    label_bytes: &[20, 100],
    classes: "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl \
        boy bridge bus butterfly camel can castle caterpillar cattle chair \
        chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin \
        elephant flatfish forest fox girl hamster house kangaroo keyboard lamp \
        lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain \
        mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck \
        pine_tree plain plate poppy porcupine possum rabbit raccoon ray road \
        rocket rose sea seal shark shrew skunk skyscraper snail snake spider \
        squirrel streetcar sunflower sweet_pepper table tank telephone television \
        tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf \
        woman worm",
    test: "test.bin",
};

/// Loads the dataset `cifar` from its files.
pub(super) fn load(
    cifar: &Cifar,
    request: &Request,
    root: Option<&Path>,
    report: Report,
) -> Result<Dataset> {
    let Source { name, .. } = cifar.source;
    let shape = Shape::image(3, SIDE, SIDE);
    let classes: Vec<String> = cifar.classes.split_whitespace().map(String::from).collect();
    request.accept(name, shape, classes.len())?;
    let dir = cifar.source.locate(request, root)?;
    let train_files = train_files(cifar, request, &dir)?;
    let test_file = cifar.source.file(request, &dir, &[cifar.test])?;
    let progress = Progress::new(train_files.len() + 1, report);
    let (mut train, mut test) = (Split::default(), Split::default());
    let mut faults = Faults::default();
    for file in &train_files {
        faults.take(read(cifar, file, &mut train));
        progress.advance();
    }
    faults.take(read(cifar, &test_file, &mut test));
    progress.advance();
    let name = format!("{name} in {}", dir.shown());
    faults.report(&name)?;
    let mut dataset = Dataset::new(name, shape, classes, train, test)?;
    dataset.left_out = missing(cifar, train_files.len());
    Ok(dataset)
}

/// Names the training files that are published and come after the first `found`, which are
/// there.
fn missing(cifar: &Cifar, found: usize) -> Option<String> {
    let published = cifar.source.parts.iter().flat_map(|part| part.names);
    let missing: Vec<&str> = published
        .copied()
        .filter(|name| *name != cifar.test)
        .skip(found)
        .collect();
    match missing.as_slice() {
        [] => None,
        [name] => Some(format!("{name}, which is not there")),
        [first, .., last] => Some(format!("{first} to {last}, which are not there")),
    }
}

/// Finds `train.bin`, or every `data_batch_N.bin` in the order of N, which counts from 1
/// without a gap: a lost file must not go unnoticed.
fn train_files(cifar: &Cifar, request: &Request, dir: &Path) -> Result<Vec<PathBuf>> {
    let first = cifar.source.marker();
    if !first.iter().any(|name| name.starts_with("data_batch_")) {
        return Ok(vec![cifar.source.file(request, dir, first)?]);
    }
    let failed = |error| Error::io("read the folder", dir, error);
    let mut last = 1;
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        last = last.max(name.to_str().and_then(batch_number).unwrap_or(0));
    }
    (1..=last)
        .map(|n| {
            let name = format!("data_batch_{n}.bin");
            cifar.source.file(request, dir, &[&name])
        })
        .collect()
}

/// Parses N from `data_batch_N.bin`.
fn batch_number(name: &str) -> Option<u32> {
    let number = name.strip_prefix("data_batch_")?.strip_suffix(".bin")?;
    number.parse().ok()
}

/// Appends the records in the file at `path` to `split`.
fn read(cifar: &Cifar, path: &Path, split: &mut Split) -> Result<()> {
    let bytes = files::read(path).map_err(|error| Error::io("read", path, error))?;
    let wrong = |what: String| match foreign::recognize(&bytes) {
        Some(foreign) => foreign.in_place_of("a file of CIFAR's binary version", path),
        None => Error::new(format!("{}: {what}", path.shown())).help(format!(
            "the file is damaged or another one; get it again from {}",
            cifar.source.homepage
        )),
    };
    let labels = cifar.label_bytes.len();
    let record = labels + PIXELS;
    if bytes.is_empty() {
        return Err(wrong("the file is empty".into()));
    }
    let rest = bytes.len() % record;
    if rest != 0 {
        return Err(wrong(format!(
            "record {} (offset {}) has {rest} bytes instead of {record}",
            bytes.len() / record,
            bytes.len() - rest
        )));
    }
    split.pixels.reserve(bytes.len() / record * PIXELS);
    for (index, record_bytes) in bytes.chunks_exact(record).enumerate() {
        let (labels, pixels) = record_bytes.split_at(labels);
        for (position, (&label, &values)) in labels.iter().zip(cifar.label_bytes).enumerate() {
            if usize::from(label) >= values {
                return Err(wrong(format!(
                    "label {label} in record {index} (offset {}), where {} has 0 to {}",
                    index * record + position,
                    cifar.source.name,
                    values - 1
                )));
            }
        }
        split
            .labels
            .extend(labels.last().map(|&class| u32::from(class)));
        split.pixels.extend_from_slice(pixels);
    }
    Ok(())
}
