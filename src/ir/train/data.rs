//! The datasets, and the random changes of their images.

use crate::ir::augment::Augment;
use crate::ir::call::{Arguments, Bounds, Integers, Kind, Literal, Refusal, Row, Slot};
use crate::ir::shape::Shape;
use serde::{Deserialize, Serialize};

/// A dataset and how its training images are varied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    /// Dataset to load.
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

/// Facts about a dataset that its name tells.
#[derive(Debug)]
pub struct DatasetFacts {
    /// Name in a `.van` file.
    pub name: &'static str,
    /// Description in one line.
    pub doc: &'static str,
    /// Shapes that its images may have; any, if there is none.
    pub shapes: &'static [Shape],
    /// Number of its classes, if the name fixes it.
    pub classes: Option<usize>,
    /// Images in its training split, if the name fixes it.
    pub train_images: Option<usize>,
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

const SYNTHETIC: DatasetFacts = DatasetFacts {
    name: "synthetic",
    doc: "ten shapes, drawn in the program",
    shapes: &[COLOUR, GREY],
    classes: Some(10),
    train_images: None,
};

const MNIST: DatasetFacts = DatasetFacts {
    name: "mnist",
    doc: "handwritten digits",
    shapes: &[GREY],
    classes: Some(10),
    train_images: Some(60_000),
};

const FASHION_MNIST: DatasetFacts = DatasetFacts {
    name: "fashion_mnist",
    doc: "articles of clothing",
    shapes: &[GREY],
    classes: Some(10),
    train_images: Some(60_000),
};

const CIFAR10: DatasetFacts = DatasetFacts {
    name: "cifar10",
    doc: "photographs of ten classes",
    shapes: &[COLOUR],
    classes: Some(10),
    train_images: Some(50_000),
};

const CIFAR100: DatasetFacts = DatasetFacts {
    name: "cifar100",
    doc: "photographs of a hundred classes",
    shapes: &[COLOUR],
    classes: Some(100),
    train_images: Some(50_000),
};

const FOLDER: DatasetFacts = DatasetFacts {
    name: "folder",
    doc: "image files in train/CLASS and test/CLASS",
    shapes: &[],
    classes: None,
    train_images: None,
};

/// The datasets.
pub const DATASETS: &[Row<Data>] = &[
    row(&SYNTHETIC, SYNTHETIC_SLOTS, |arguments| {
        data(DatasetKind::Synthetic(synthetic(arguments)?), arguments)
    }),
    row(&MNIST, &[AUGMENT], |a| data(DatasetKind::Mnist, a)),
    row(&FASHION_MNIST, &[AUGMENT], |a| {
        data(DatasetKind::FashionMnist, a)
    }),
    row(&CIFAR10, &[AUGMENT], |a| data(DatasetKind::Cifar10, a)),
    row(&CIFAR100, &[AUGMENT], |a| data(DatasetKind::Cifar100, a)),
    row(&FOLDER, &[AUGMENT], |a| data(DatasetKind::Folder, a)),
];

/// The datasets as the help of `--data` names them.
pub const DATASET_LIST: &str = "synthetic, mnist, fashion_mnist, cifar10, cifar100 or folder";

const AUGMENT: Slot<'static> = Slot::new(
    "augment",
    Kind::Augments,
    "random changes of each training image, in this order",
)
.or(Literal::NoAugments);

const fn row(
    facts: &DatasetFacts,
    slots: &'static [Slot<'static>],
    build: fn(&Arguments) -> Result<Data, Refusal>,
) -> Row<Data> {
    Row {
        name: facts.name,
        doc: facts.doc,
        slots,
        build,
    }
}

/// Makes the dataset with the augmentations of `arguments`.
fn data(kind: DatasetKind, arguments: &Arguments) -> Result<Data, Refusal> {
    let augment = arguments.get("augment")?;
    Ok(Data { kind, augment })
}

impl DatasetKind {
    /// Returns the facts that the name of the dataset tells.
    pub fn facts(&self) -> &'static DatasetFacts {
        match self {
            DatasetKind::Synthetic(_) => &SYNTHETIC,
            DatasetKind::Mnist => &MNIST,
            DatasetKind::FashionMnist => &FASHION_MNIST,
            DatasetKind::Cifar10 => &CIFAR10,
            DatasetKind::Cifar100 => &CIFAR100,
            DatasetKind::Folder => &FOLDER,
        }
    }

    /// Returns the number of images in the training split, if the settings tell it.
    pub fn train_images(&self) -> Option<usize> {
        let drawn = self.drawn().map(|settings| settings.train);
        drawn.or(self.facts().train_images)
    }

    /// Returns the name the dataset has in a `.van` file.
    pub fn keyword(&self) -> &'static str {
        self.facts().name
    }

    /// Returns the settings of a dataset that is drawn; nothing for one that is read from files.
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

const SYNTHETIC_SLOTS: &[Slot<'static>] = &[
    Slot::new("train", Kind::COUNT, "images in the training split")
        .or(Literal::Int(Synthetic::DEFAULT.train as i64)),
    Slot::new("test", Kind::COUNT, "images in the test split")
        .or(Literal::Int(Synthetic::DEFAULT.test as i64)),
    Slot::new(
        "noise",
        Kind::Float(Bounds::Unit),
        "standard deviation of the noise of a pixel",
    )
    .or(Literal::Float(Synthetic::DEFAULT.noise)),
    Slot::new("seed", Kind::SEED, "seed of the drawing")
        .or(Literal::Int(Synthetic::DEFAULT.seed as i64)),
    AUGMENT,
];

fn synthetic(arguments: &Arguments) -> Result<Synthetic, Refusal> {
    Ok(Synthetic {
        train: arguments.get("train")?,
        test: arguments.get("test")?,
        noise: arguments.get("noise")?,
        seed: arguments.get("seed")?,
    })
}

/// The augmentations.
pub const AUGMENTS: &[Row<Augment>] = &[
    Row {
        name: "pad_crop",
        doc: "black pixels on each side, then a crop of the original size at random",
        slots: &[Slot::new(
            "pixels",
            Kind::Int(Integers::Range(1, 1 << 16)),
            "pixels on each side",
        )
        .first(Literal::Int(4))],
        build: |arguments| Ok(Augment::PadCrop(arguments.get("pixels")?)),
    },
    Row {
        name: "flip_horizontal",
        doc: "the mirror image, half of the time",
        slots: &[],
        build: |_| Ok(Augment::FlipHorizontal),
    },
];
