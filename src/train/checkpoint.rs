//! A checkpoint: a safetensors file with the whole state of a run.
//!
//! The tensors are those of [`crate::engines::Engine::save`] in 32-bit floats, under
//! their names. The file's metadata holds `vanc`, a JSON object ([`Meta`]), and `crc32`,
//! a check sum over it and the tensors, so that a flipped bit is found and not trained
//! on. It holds the source too: `vanc eval CHECKPOINT.safetensors` needs no other file.

use super::run_progress::RunProgress;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::files::{self, write_atomic};
use crate::flags::Overrides;
use crate::foreign;
use crate::tensor::Tensor;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Version of the format. One that reads differently gets another number.
pub const FORMAT: u32 = 1;

const META: &str = "vanc";
const CHECK_SUM: &str = "crc32";

/// Metadata of a checkpoint: all that it says beside the tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// Name after `model`.
    pub model: String,
    /// The `.van` text.
    pub source: String,
    /// Overrides from flags. With `source` they make the model.
    pub overrides: Overrides,
    /// The images it was trained on.
    pub data: DataMeta,
    /// Seed of every random stream; their positions are [`Meta::progress`]'s.
    pub seed: u64,
    /// Progress of the run.
    #[serde(rename = "position")]
    pub progress: RunProgress,
}

/// The images that a network was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataMeta {
    /// Name of the data, for the log: `synthetic`.
    pub name: String,
    /// Folder that `--data-dir` named.
    pub dir: Option<PathBuf>,
    /// Channels, height and width of an image.
    pub shape: Vec<usize>,
    /// Class names, by class index.
    pub classes: Vec<String>,
    /// Images in the training split.
    pub train_images: usize,
    /// Images in the test split.
    pub test_images: usize,
    /// Mean of each channel, which is subtracted.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, which is divided by.
    pub std: Vec<f32>,
}

impl DataMeta {
    /// Describes `dataset`, found with `--data-dir dir`.
    pub fn new(dataset: &Dataset, dir: Option<&Path>) -> Self {
        DataMeta {
            name: dataset.name.clone(),
            dir: dir.map(Path::to_owned),
            shape: dataset.shape.dims(),
            classes: dataset.classes.clone(),
            train_images: dataset.train.labels.len(),
            test_images: dataset.test.labels.len(),
            mean: dataset.mean.clone(),
            std: dataset.std.clone(),
        }
    }

    /// Checks that `dataset` is, to all appearance, the same images: as many, in the same
    /// classes, with the same mean and deviation to the last bit.
    ///
    /// # Errors
    /// The first difference, where the images are others.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let now = DataMeta::new(dataset, self.dir.as_deref());
        let differs = if now.shape != self.shape {
            Some(format!(
                "its images are {:?}, there they are {:?}",
                now.shape, self.shape
            ))
        } else if (now.train_images, now.test_images) != (self.train_images, self.test_images) {
            Some(format!(
                "it has {} training and {} test images, there they are {} and {}",
                now.train_images, now.test_images, self.train_images, self.test_images
            ))
        } else if now.classes != self.classes {
            Some("its classes have other names".into())
        } else if (&now.mean, &now.std) != (&self.mean, &self.std) {
            Some("its pixels have another mean or deviation".into())
        } else {
            None
        };
        match differs {
            None => Ok(()),
            Some(what) => Err(Error::new(format!(
                "{} is not the data that the run began with ({}): {what}",
                dataset.name, self.name
            ))
            .help("give the folder of that data with --data-dir")),
        }
    }
}

/// A checkpoint in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Metadata: all that it says beside the tensors.
    pub meta: Meta,
    /// The state of the engine.
    pub tensors: Vec<Tensor>,
}

impl Checkpoint {
    /// Writes the bytes of the file.
    ///
    /// # Errors
    /// Where the metadata or the tensors cannot be put into a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let failed = |e: String| Error::new(format!("cannot make the checkpoint: {e}"));
        let meta = serde_json::to_string(&self.meta).map_err(|e| failed(e.to_string()))?;
        let data: Vec<Vec<u8>> = self.tensors.iter().map(bytes).collect();
        let views = self.tensors.iter().zip(&data).map(|(tensor, data)| {
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), data)?;
            Ok((tensor.name.as_str(), view))
        });
        let mut views = views
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| failed(e.to_string()))?;
        views.sort_by_key(|(name, _)| *name);
        let sum = check_sum(&meta, &views);
        let info = HashMap::from([
            (META.to_string(), meta),
            (CHECK_SUM.to_string(), format!("{sum:08x}")),
        ]);
        safetensors::serialize(views, Some(info)).map_err(|e| failed(e.to_string()))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Where the file cannot be made or written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomic(path, &self.to_bytes()?)
    }

    /// Reads a file. One that is cut short or damaged is an error that names it.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, or is of a newer version.
    pub fn read(path: &Path) -> Result<Checkpoint> {
        let file = files::read(path).map_err(|e| Error::io("read", path, e))?;
        Checkpoint::from_bytes(&file).map_err(|e| Error {
            message: format!(
                "cannot use the checkpoint {}: {}",
                path.display(),
                e.message
            ),
            help: e.help,
        })
    }

    fn from_bytes(file: &[u8]) -> Result<Checkpoint> {
        let damaged = |e: &dyn std::fmt::Display| {
            Error::new(format!("the file is cut short or damaged ({e})"))
        };
        let (_, header) =
            SafeTensors::read_metadata(file).map_err(|e| match foreign::recognize(file) {
                Some(foreign) => foreign.error("a checkpoint of vanc"),
                None => damaged(&e),
            })?;
        let info = header.metadata().as_ref();
        let (Some(text), Some(sum)) = (
            info.and_then(|i| i.get(META)),
            info.and_then(|i| i.get(CHECK_SUM)),
        ) else {
            return Err(
                Error::new("it holds weights, but it is no checkpoint of vanc").help(
                    "start from its weights with `vanc train FILE.van --weights` and its name",
                ),
            );
        };
        let format = serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .and_then(|meta| meta.get("format").and_then(serde_json::Value::as_u64));
        if let Some(format) = format.filter(|&f| f != u64::from(FORMAT)) {
            return Err(Error::new(format!(
                "it has format {format}, this vanc reads format {FORMAT}"
            ))
            .help("use the version of vanc that wrote it"));
        }
        let meta: Meta = serde_json::from_str(text).map_err(|e| damaged(&e))?;
        let views = SafeTensors::deserialize(file).map_err(|e| damaged(&e))?;
        let mut views: Vec<(&str, TensorView)> = views.iter().collect();
        views.sort_by_key(|(name, _)| *name);
        if *sum != format!("{:08x}", check_sum(text, &views)) {
            return Err(damaged(&"its check sum does not agree"));
        }
        let tensors = views.iter().map(|(name, view)| {
            if view.dtype() != Dtype::F32 {
                return Err(damaged(&format!("{name} is {}, not F32", view.dtype())));
            }
            Ok(Tensor {
                name: name.to_string(),
                shape: view.shape().to_vec(),
                data: floats(view.data()),
            })
        });
        Ok(Checkpoint {
            tensors: tensors.collect::<Result<_>>()?,
            meta,
        })
    }
}

/// Writes a tensor as little-endian bytes.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    tensor.data.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Decodes little-endian `f32`s.
fn floats(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// Computes the CRC-32 over the metadata and, in the order of the names, each tensor's name,
/// shape and bytes. `views` is in that order.
fn check_sum(meta: &str, views: &[(&str, TensorView)]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(meta.as_bytes());
    for (name, view) in views {
        crc.update(name.as_bytes());
        for extent in view.shape() {
            crc.update(&(*extent as u64).to_le_bytes());
        }
        crc.update(view.data());
    }
    crc.sum()
}
