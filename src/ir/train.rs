//! How a network is trained: the `train { … }` section, resolved.

use super::Optimizer;
use serde::{Deserialize, Serialize};

/// All training settings. Every one has a default and a command-line flag.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Train {
    /// Which images.
    pub data: Data,
    /// What is minimised.
    pub loss: Loss,
    /// Where weights start.
    pub init: Init,
    /// How weights move.
    pub optimizer: Optimizer,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// How α and λ of variable skips move.
    pub constraint: Constraint,
    /// Passes over the training split.
    pub epochs: usize,
    /// Images in a step.
    pub batch: usize,
    /// Seed of every random stream.
    pub seed: u64,
}

impl Default for Train {
    fn default() -> Self {
        Train {
            data: Data {
                kind: DatasetKind::Synthetic(Synthetic::default()),
                augment: Vec::new(),
            },
            loss: Loss::CrossEntropy,
            init: Init::HeNormal,
            optimizer: Optimizer::default(),
            schedule: Schedule::Constant,
            constraint: Constraint::default(),
            epochs: 10,
            batch: 128,
            seed: 0,
        }
    }
}

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

impl DatasetKind {
    /// The name the dataset has in a `.van` file.
    pub fn keyword(&self) -> &'static str {
        match self {
            DatasetKind::Synthetic(_) => "synthetic",
            DatasetKind::Mnist => "mnist",
            DatasetKind::FashionMnist => "fashion_mnist",
            DatasetKind::Cifar10 => "cifar10",
            DatasetKind::Cifar100 => "cifar100",
            DatasetKind::Folder => "folder",
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

impl Default for Synthetic {
    fn default() -> Self {
        Synthetic {
            train: 4000,
            test: 1000,
            noise: 0.15,
            seed: 0,
        }
    }
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

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Mean over the batch of `−log softmax(logits)[label]`.
    CrossEntropy,
}

/// Distribution that convolution and linear weights start from. Biases start at 0
/// (a highway gate's at its policy's `bias`), batch-norm weights at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Normal with standard deviation √(2/fan_in), which makes up for the half that a
    /// rectifier takes away (He et al. 2015); √(1/fan_in) for projections and gates,
    /// which no rectifier follows: with the larger one the sum F(x) + s(x) grows from
    /// stage to stage and training at the paper's rates diverges.
    HeNormal,
    /// Uniform on ±√(6/(fan_in + fan_out)). Glorot & Bengio 2010.
    GlorotUniform,
    /// Rows (or columns) of a random orthogonal matrix. Saxe et al. 2013.
    Orthogonal,
}

/// How the learning rate η moves over the epochs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// η stays.
    Constant,
    /// η is multiplied by `factor` at the start of each epoch in `at` (counted from 0).
    Step {
        /// Epochs, ascending.
        at: Vec<usize>,
        /// Factor at each.
        factor: f64,
    },
    /// η rises linearly over `warmup` epochs, then falls to 0 along half a cosine.
    Cosine {
        /// Epochs of the rise.
        warmup: f64,
    },
}

/// The Lagrangian rule of variable skips, eq. (4)–(9): after every step or epoch
/// `α ← clip(α − alpha_rate·η·(∂C/∂α + λ), 0, 1)`, then
/// `λ ← λ + lambda_rate·η·(α − 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Constraint {
    /// Where α starts.
    pub alpha: f64,
    /// Where λ starts.
    pub lambda: f64,
    /// α's rate, as a multiple of η.
    pub alpha_rate: f64,
    /// λ's rate, as a multiple of η.
    pub lambda_rate: f64,
    /// How often the rule is applied.
    pub every: Every,
    /// What one α covers.
    pub alpha_granularity: Granularity,
}

impl Default for Constraint {
    fn default() -> Self {
        Constraint {
            alpha: 0.0,
            lambda: -1.0,
            alpha_rate: 1.0,
            lambda_rate: 0.1,
            every: Every::Step,
            alpha_granularity: Granularity::Channel,
        }
    }
}

/// How often α and λ move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// After every step, with its ∂C/∂α.
    Step,
    /// After every epoch, with the mean ∂C/∂α over its steps.
    Epoch,
}

/// What one α covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// One output channel (neuron).
    Channel,
    /// The whole skip.
    Layer,
    /// One activation: a channel at a position.
    Unit,
}
