//! MNIST and related datasets: IDX files, plain or gzip.
//!
//! An IDX file is `00 00 type dimensions`, one big-endian `u32` a dimension, then the
//! elements, the last dimension contiguous. Type 8 is bytes, the only one used here.

use super::faults::Faults;
use super::locate::{Part, Source};
use super::progress::{Progress, Report};
use super::{Dataset, Request, Split};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::ir::Shape;
use crate::{files, foreign};
use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A dataset of four IDX files.
pub(super) struct Idx {
    pub source: Source,
    classes: [&'static str; 10],
}

/// Possible names of each file.
const TRAIN_IMAGES: &[&str] = &[
    "train-images-idx3-ubyte",
    "train-images-idx3-ubyte.gz",
    "train-images.idx3-ubyte",
    "train-images.idx3-ubyte.gz",
];
const TRAIN_LABELS: &[&str] = &[
    "train-labels-idx1-ubyte",
    "train-labels-idx1-ubyte.gz",
    "train-labels.idx1-ubyte",
    "train-labels.idx1-ubyte.gz",
];
const TEST_IMAGES: &[&str] = &[
    "t10k-images-idx3-ubyte",
    "t10k-images-idx3-ubyte.gz",
    "t10k-images.idx3-ubyte",
    "t10k-images.idx3-ubyte.gz",
];
const TEST_LABELS: &[&str] = &[
    "t10k-labels-idx1-ubyte",
    "t10k-labels-idx1-ubyte.gz",
    "t10k-labels.idx1-ubyte",
    "t10k-labels.idx1-ubyte.gz",
];

/// Describes the four files: 60 000 and 10 000 images of 28×28, and as many labels. `packed`
/// gives the lengths of their gzip forms.
const fn parts(packed: [u64; 4]) -> [Part; 4] {
    let [train_images, train_labels, test_images, test_labels] = packed;
    [
        part(TRAIN_IMAGES, 16 + 60_000 * 28 * 28, train_images),
        part(TRAIN_LABELS, 8 + 60_000, train_labels),
        part(TEST_IMAGES, 16 + 10_000 * 28 * 28, test_images),
        part(TEST_LABELS, 8 + 10_000, test_labels),
    ]
}

const fn part(names: &'static [&'static str], plain: u64, packed: u64) -> Part {
    let packed = Some(packed);
    Part {
        names,
        plain,
        packed,
    }
}

/// MNIST: handwritten digits (LeCun, Cortes, Burges).
pub(super) const MNIST: Idx = Idx {
    source: Source {
        name: "mnist",
        folders: &["mnist", "MNIST/raw"],
        parts: &parts([9_912_422, 28_881, 1_648_877, 4_542]),
        homepage: "http://yann.lecun.com/exdb/mnist \
                   (mirror: https://ossci-datasets.s3.amazonaws.com/mnist)",
    },
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
};

/// Fashion-MNIST: articles of clothing (Zalando).
pub(super) const FASHION_MNIST: Idx = Idx {
    source: Source {
        name: "fashion_mnist",
        folders: &["fashion_mnist", "FashionMNIST/raw"],
        parts: &parts([26_421_880, 29_515, 4_422_102, 5_148]),
        homepage: "https://github.com/zalandoresearch/fashion-mnist",
    },
    classes: [
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ],
};

/// Loads the dataset `idx` from its four files.
pub(super) fn load(
    idx: &Idx,
    request: &Request,
    root: Option<&Path>,
    report: Report,
) -> Result<Dataset> {
    let dir = idx.source.locate(request, root)?;
    let progress = Progress::new(2, report);
    let mut faults = Faults::default();
    let mut read = |names| faults.take(read_split(idx, request, &dir, names, &progress));
    let train = read([TRAIN_IMAGES, TRAIN_LABELS]);
    let test = read([TEST_IMAGES, TEST_LABELS]);
    let name = format!("{} in {}", idx.source.name, dir.shown());
    faults.report(&name)?;
    Dataset::new(
        name,
        request.input,
        idx.classes.map(String::from).to_vec(),
        train.unwrap_or_default(),
        test.unwrap_or_default(),
    )
}

fn read_split(
    idx: &Idx,
    request: &Request,
    dir: &Path,
    [images, labels]: [&[&str]; 2],
    progress: &Progress,
) -> Result<Split> {
    let classes = idx.classes.len();
    let (mut images, [count, height, width]) =
        IdxFile::open(idx.source.file(request, dir, images)?)?;
    let (mut labels, [labelled]) = IdxFile::open(idx.source.file(request, dir, labels)?)?;
    if height == 0 || width == 0 {
        return Err(images.wrong(&format!("its images are {height}×{width}, without a pixel")));
    }
    let shape = Shape::image(1, height, width);
    let name = format!("{} ({})", idx.source.name, images.path.shown());
    request.accept(&name, shape, classes)?;
    if count != labelled {
        return Err(Error::new(format!(
            "{} holds {count} images, but {} holds {labelled} labels",
            images.path.shown(),
            labels.path.shown()
        ))
        .help("take both files from the same dataset"));
    }
    if count == 0 {
        return Err(images.wrong("it holds no image"));
    }
    let start = labels.position;
    let classed = labels.read()?;
    if let Some(record) = classed
        .iter()
        .position(|&label| usize::from(label) >= classes)
    {
        return Err(labels.wrong(&format!(
            "label {} in record {record} (offset {}), where {} has 0 to {}",
            classed[record],
            start + record as u64,
            idx.source.name,
            classes - 1
        )));
    }
    let pixels = images.read()?;
    progress.advance();
    Ok(Split {
        pixels,
        labels: classed.into_iter().map(u32::from).collect(),
    })
}

/// An open IDX file whose header has been read.
struct IdxFile {
    path: PathBuf,
    reader: Box<dyn Read>,
    /// Byte that the elements begin at, after decompression.
    position: u64,
    /// Number of elements according to the header.
    elements: u64,
    /// Largest number of bytes that the file can decompress to.
    limit: u64,
}

const DAMAGED: &str = "the file is damaged or another one; get it again";

/// Largest expansion factor of deflate (RFC 1951: 258 bytes from 2 bits, less what the blocks
/// need around them).
const MAX_INFLATION: u64 = 1032;

impl IdxFile {
    /// Opens `path` and reads its header of `N` dimensions.
    fn open<const N: usize>(path: PathBuf) -> Result<(IdxFile, [usize; N])> {
        let failed = |error| Error::io("read", &path, error);
        let file = files::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut file = BufReader::new(file);
        // By its content: unpacked files are often left with their `.gz`.
        let packed = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let (reader, limit): (Box<dyn Read>, u64) = if packed {
            let reader = Box::new(MultiGzDecoder::new(file));
            (reader, length.saturating_mul(MAX_INFLATION))
        } else {
            (Box::new(file), length)
        };
        let mut opened = IdxFile {
            path,
            reader,
            position: 0,
            elements: 0,
            limit,
        };
        let dims = opened.header()?;
        Ok((opened, dims))
    }

    /// Reads the dimensions, whose product is at most what the file can hold.
    fn header<const N: usize>(&mut self) -> Result<[usize; N]> {
        let magic = self.word()?;
        let expected = 0x0800 + N as u32;
        if magic != expected {
            if let Some(foreign) = foreign::recognize(&head(&self.path)) {
                return Err(foreign.in_place_of("an IDX file", &self.path));
            }
            return Err(self.wrong(&format!(
                "the first four bytes are {magic:#010x} instead of {expected:#010x}, \
                 which marks an IDX file of bytes with {N} dimension{}",
                if N == 1 { "" } else { "s" }
            )));
        }
        let mut dims = [0; N];
        self.elements = 1;
        for dim in &mut dims {
            let word = self.word()?;
            *dim = word as usize;
            self.elements = self.elements.saturating_mul(u64::from(word));
        }
        if self.end() > self.limit {
            return Err(self.unlike_header(&format!("it cannot hold more than {}", self.limit)));
        }
        Ok(dims)
    }

    /// Returns the byte that the elements end at, if all are there.
    fn end(&self) -> u64 {
        self.position.saturating_add(self.elements)
    }

    /// Reads a big-endian `u32` of the header.
    fn word(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => {
                self.position += 4;
                Ok(u32::from_be_bytes(bytes))
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(self.wrong(&format!(
                "it ends within its header, after offset {}",
                self.position
            ))),
            Err(error) => Err(self.unreadable(error, self.position)),
        }
    }

    /// Reads the elements: exactly as many as the header says. Memory is allocated as bytes
    /// come, so that neither a header nor a gzip stream can ask for more than is there.
    fn read(&mut self) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        let wanted = self.elements.saturating_add(1);
        let outcome = self.reader.by_ref().take(wanted).read_to_end(&mut data);
        let got = data.len() as u64;
        match outcome {
            Ok(_) if got == self.elements => Ok(data),
            Ok(_) if got > self.elements => Err(self.unlike_header("more bytes follow")),
            Ok(_) => Err(self.unlike_header(&format!("it ends at {}", self.position + got))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(self.unlike_header(&format!("it breaks off at {}", self.position + got)))
            }
            Err(error) => Err(self.unreadable(error, self.position + got)),
        }
    }

    fn unlike_header(&self, but: &str) -> Error {
        self.wrong(&format!(
            "its header promises {} elements, which end at offset {}, but {but}",
            self.elements,
            self.end()
        ))
    }

    /// The failure to read on after so many bytes, unpacked ones if the file is packed.
    fn unreadable(&self, error: std::io::Error, offset: u64) -> Error {
        self.wrong(&format!("it cannot be read after offset {offset}: {error}"))
    }

    fn wrong(&self, what: &str) -> Error {
        Error::new(format!("{}: {what}", self.path.shown())).help(DAMAGED)
    }
}

/// Reads the beginning of the file at `path`, unpacked if it is packed, as far as it goes.
fn head(path: &Path) -> Vec<u8> {
    let packed = files::read_head(path, foreign::HEAD).unwrap_or_default();
    let mut head = Vec::new();
    // It ends with an error where the beginning does, and what came before that is enough.
    let _ = MultiGzDecoder::new(Cursor::new(&packed)).read_to_end(&mut head);
    if head.is_empty() { packed } else { head }
}
