//! Values of flags.

use crate::error::Result;
use crate::words::{unknown, words};
use serde::{Deserialize, Serialize, Serializer};

words! {
    /// The engine that runs the network.
    #[derive(Default)]
    pub enum EngineKind, "--engine" {
        /// The compiled one: a plan of fused steps on one arena, on the CPU or a GPU.
        #[default]
        Compiled = "compiled",
        /// The compiled engine on the CPU, even where there is a GPU.
        Cpu = "cpu",
        /// The reference: dfdx's tensors, tape and SGD.
        Dfdx = "dfdx",
    }
}

words! {
    /// The order of the training images.
    #[derive(Default)]
    pub enum Order, "--order" {
        /// Another one each epoch, from the seed.
        #[default]
        Shuffled = "shuffled",
        /// Order of the files.
        Sequential = "sequential",
    }
}

words! {
    /// Number format that a GPU stores and multiplies.
    #[derive(Default)]
    pub enum Precision, "--precision" {
        /// Single precision throughout.
        F32 = "f32",
        /// Stored in single precision; products of matrices round their factors to 10 bits.
        #[default]
        Tf32 = "tf32",
        /// Activations and their gradients stored in bfloat16; weights, their gradients and
        /// all sums in single precision.
        Bf16 = "bf16",
    }
}

words! {
    /// Tensors of a file of weights that must fit the network.
    #[derive(Default)]
    pub enum WeightsMatch, "--weights-match" {
        /// Every one, and the network's all have one.
        #[default]
        All = "all",
        /// Those that do, which is one or more.
        Fitting = "fitting",
    }
}

words! {
    /// Whether something is done.
    pub enum OnOff, "--augment" {
        /// The thing is done.
        On = "on",
        /// The thing is not done.
        Off = "off",
    }
}

words! {
    /// Choice of a checkpoint among those of a run.
    #[derive(Default)]
    pub enum Which, "--checkpoint" {
        /// The last.
        #[default]
        Last = "last",
        /// The checkpoint with the best test accuracy.
        Best = "best",
    }
}

words! {
    /// Part of a dataset.
    pub enum Split, "--split" {
        /// Images that are only tested on.
        Test = "test",
        /// Images that are trained on.
        Train = "train",
    }
}

words! {
    /// Form of an answer.
    pub enum Format, "--format" {
        /// Text for people.
        Text = "text",
        /// JSON for programs.
        Json = "json",
    }
}

words! {
    /// Form of a list of predictions.
    pub enum PredictionFormat, "--format" {
        /// A table for people.
        Text = "text",
        /// A table for programs.
        Csv = "csv",
        /// A JSON object a line.
        Json = "json",
    }
}

words! {
    /// Fitting of an image of another size.
    pub enum Resize, "--resize" {
        /// Height and width each by themselves.
        Stretch = "stretch",
        /// Height and width alike, and the middle of what is then too long.
        Crop = "crop",
    }
}

words! {
    /// Form of a network that is described.
    pub enum NetworkFormat, "--format" {
        /// A table.
        Text = "text",
        /// JSON for programs.
        Json = "json",
        /// A graph, for Graphviz.
        Dot = "dot",
    }
}

words! {
    /// Reader of a script that does a sweep in parts.
    pub enum ScriptTarget, "--emit" {
        /// A job array of Slurm.
        Slurm = "slurm",
        /// Any shell; an argument says which part.
        Shell = "shell",
    }
}

/// Device that the network runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// A GPU that can run the network, where there is one; else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU: the one of this number, or the first.
    Cuda(Option<usize>),
}

impl Device {
    /// Forms of its name.
    pub const NAMES: [&str; 4] = ["auto", "cpu", "cuda", "cuda:N"];

    /// Finds the device called `name`.
    ///
    /// # Errors
    /// Where `name` is none of [`Device::NAMES`].
    pub fn parse(name: &str) -> Result<Self> {
        let number = |text: &str| text.strip_prefix("cuda:")?.parse().ok();
        match name {
            "auto" => Ok(Device::Auto),
            "cpu" => Ok(Device::Cpu),
            "cuda" => Ok(Device::Cuda(None)),
            _ => match number(name) {
                Some(ordinal) => Ok(Device::Cuda(Some(ordinal))),
                None => Err(unknown("--device", name, &Self::NAMES)),
            },
        }
    }

    /// Returns the name on the command line.
    pub fn name(self) -> String {
        match self {
            Device::Auto => "auto".into(),
            Device::Cpu => "cpu".into(),
            Device::Cuda(None) => "cuda".into(),
            Device::Cuda(Some(ordinal)) => format!("cuda:{ordinal}"),
        }
    }
}

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// Engine and device that are to run the network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Wanted {
    /// `--engine`.
    pub engine: EngineKind,
    /// `--device`.
    pub device: Device,
    /// Without `--no-winograd`.
    pub winograd: bool,
    /// `--precision`; by default TF32 on a GPU.
    pub precision: Option<Precision>,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted {
            engine: EngineKind::default(),
            device: Device::default(),
            winograd: true,
            precision: None,
        }
    }
}

/// Flags that change the model: each a name without dashes and the value as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// Overrides of the file's params.
    pub params: Vec<(String, String)>,
    /// Overrides of train settings.
    pub settings: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in EngineKind::NAMES {
            assert_eq!(EngineKind::parse(name).unwrap().name(), *name);
        }
        for name in Order::NAMES {
            assert_eq!(Order::parse(name).unwrap().name(), *name);
        }
        for name in ["auto", "cpu", "cuda", "cuda:0", "cuda:17"] {
            assert_eq!(Device::parse(name).unwrap().name(), name);
        }
        for name in [
            "cuda:",
            "cuda:x",
            "cuda:-1",
            "gpu",
            "cuda:99999999999999999999",
        ] {
            assert!(Device::parse(name).is_err(), "{name}");
        }
        assert!(EngineKind::parse("jax").is_err());
    }
}
