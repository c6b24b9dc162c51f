//! The datasets, and the random changes of their images.

use crate::ir::Shape;
use crate::ir::call::{Arguments, Bounds, Integers, Kind, Literal, Refusal, Row, Slot};
use serde::{Deserialize, Serialize};

/// A dataset and how its training images are varied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    /// Which dataset.
    pub kind: DatasetKind,
    /// Applied in this order, to the training split only.
    pub augment: Vec<Augment>,
}

/// The datasets that `data:` can name.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// Drawn in the program.
    Synthetic(Synthetic),
    /// 28×28 handwritten digits, IDX files.
    Mnist,
    /// 28×28 articles of clothing, IDX files.
    FashionMnist,
    /// 3×32×32, ten classes, binary files.
    Cifar10,
    /// 3×32×32, a hundred classes, binary files.
    Cifar100,
    /// `train/CLASS/*.png`, `test/CLASS/*.png` (or JPEG).
    Folder,
}

/// The images of a dataset, as far as its name tells.
#[derive(Debug)]
pub struct DatasetFacts {
    /// Name in a `.van` file.
    pub name: &'static str,
    /// Shapes that its images may have; any, if there is none.
    pub shapes: &'static [Shape],
    /// How many classes it has.
    pub classes: Option<usize>,
}

const GREY: Shape = Shape::Image {
    channels: 1,
    height: 28,
    width: 28,
};
const COLOUR: Shape = Shape::Image {
    channels: 3,
    height: 32,
    width: 32,
};

impl DatasetKind {
    /// What its name tells of it.
    pub fn facts(&self) -> DatasetFacts {
        let facts = |name, shapes, classes| DatasetFacts {
            name,
            shapes,
            classes,
        };
        match self {
            DatasetKind::Synthetic(_) => facts("synthetic", &[COLOUR, GREY], Some(10)),
            DatasetKind::Mnist => facts("mnist", &[GREY], Some(10)),
            DatasetKind::FashionMnist => facts("fashion_mnist", &[GREY], Some(10)),
            DatasetKind::Cifar10 => facts("cifar10", &[COLOUR], Some(10)),
            DatasetKind::Cifar100 => facts("cifar100", &[COLOUR], Some(100)),
            DatasetKind::Folder => facts("folder", &[], None),
        }
    }

    /// The name the dataset has in a `.van` file.
    pub fn keyword(&self) -> &'static str {
        self.facts().name
    }

    /// The settings of a dataset that is drawn; nothing for one that is read from files.
    pub fn drawn(&self) -> Option<Synthetic> {
        match self {
            DatasetKind::Synthetic(settings) => Some(*settings),
            DatasetKind::Mnist
            | DatasetKind::FashionMnist
            | DatasetKind::Cifar10
            | DatasetKind::Cifar100
            | DatasetKind::Folder => None,
        }
    }
}

const AUGMENT: Slot<'static> = Slot::optional(
    "augment",
    Kind::Augments,
    Literal::NoAugments,
    "random changes of each training image, in this order",
);

/// A dataset whose only setting is `augment`.
const fn files(
    name: &'static str,
    doc: &'static str,
    build: fn(&Arguments) -> Result<Data, Refusal>,
) -> Row<Data> {
    Row {
        name,
        doc,
        slots: &[AUGMENT],
        build,
    }
}

/// The dataset with the augmentations of `arguments`.
fn data(kind: DatasetKind, arguments: &Arguments) -> Result<Data, Refusal> {
    let augment = arguments.augments("augment")?;
    Ok(Data { kind, augment })
}

/// The datasets.
pub const DATASETS: &[Row<Data>] = &[
    Row {
        name: "synthetic",
        doc: "ten shapes, drawn in the program",
        slots: SYNTHETIC,
        build: |arguments| data(DatasetKind::Synthetic(synthetic(arguments)?), arguments),
    },
    files("mnist", "handwritten digits, 1×28×28", |arguments| {
        data(DatasetKind::Mnist, arguments)
    }),
    files(
        "fashion_mnist",
        "articles of clothing, 1×28×28",
        |arguments| data(DatasetKind::FashionMnist, arguments),
    ),
    files("cifar10", "photographs of ten classes, 3×32×32", |a| {
        data(DatasetKind::Cifar10, a)
    }),
    files(
        "cifar100",
        "photographs of a hundred classes, 3×32×32",
        |a| data(DatasetKind::Cifar100, a),
    ),
    files("folder", "image files in train/CLASS and test/CLASS", |a| {
        data(DatasetKind::Folder, a)
    }),
];

/// Sizes and difficulty of the synthetic dataset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Synthetic {
    /// Images in the training split.
    pub train: usize,
    /// Images in the test split.
    pub test: usize,
    /// Standard deviation of the pixel noise, as a share of the full range.
    pub noise: f64,
    /// Seed of the drawing, apart from the training's, so that runs with different
    /// seeds see the same images.
    pub seed: u64,
}

impl Synthetic {
    /// The defaults.
    const DEFAULT: Synthetic = Synthetic {
        train: 4000,
        test: 1000,
        noise: 0.15,
        seed: 0,
    };
}

impl Default for Synthetic {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const SYNTHETIC: &[Slot<'static>] = &[
    Slot::optional(
        "train",
        Kind::Int(Integers::COUNT),
        Literal::Int(Synthetic::DEFAULT.train as i64),
        "images in the training split",
    ),
    Slot::optional(
        "test",
        Kind::Int(Integers::COUNT),
        Literal::Int(Synthetic::DEFAULT.test as i64),
        "images in the test split",
    ),
    Slot::optional(
        "noise",
        Kind::Float(Bounds::Unit),
        Literal::Float(Synthetic::DEFAULT.noise),
        "standard deviation of the noise of a pixel",
    ),
    Slot::optional(
        "seed",
        Kind::Int(Integers::SEED),
        Literal::Int(Synthetic::DEFAULT.seed as i64),
        "seed of the drawing",
    ),
    AUGMENT,
];

fn synthetic(arguments: &Arguments) -> Result<Synthetic, Refusal> {
    Ok(Synthetic {
        train: arguments.size("train")?,
        test: arguments.size("test")?,
        noise: arguments.float("noise")?,
        seed: arguments.seed("seed")?,
    })
}

/// A random change of a training image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Augment {
    /// Black pixels on each side, then a crop of the original size at random.
    PadCrop(usize),
    /// A mirror image half of the time.
    FlipHorizontal,
}

/// The augmentations.
pub const AUGMENTS: &[Row<Augment>] = &[
    Row {
        name: "pad_crop",
        doc: "black pixels on each side, then a crop of the original size at random",
        slots: &[Slot::first(
            "pixels",
            Kind::Int(Integers::Range(1, 1 << 16)),
            Literal::Int(4),
            "pixels on each side",
        )],
        build: |arguments| Ok(Augment::PadCrop(arguments.size("pixels")?)),
    },
    Row {
        name: "flip_horizontal",
        doc: "the mirror image, half of the time",
        slots: &[],
        build: |_| Ok(Augment::FlipHorizontal),
    },
];
