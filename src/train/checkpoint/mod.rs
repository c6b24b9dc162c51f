//! A checkpoint: the whole state of a run, in two safetensors files.
//!
//! `last.safetensors` holds the weights: the parameters, the coefficients of skips and the
//! running statistics, in 32-bit floats under their names, as PyTorch loads them strictly.
//! `last.state.safetensors` holds what only training needs: λ, and what the optimizer and the
//! constraint keep. The weights' metadata holds `vanc`, a JSON object ([`Meta`]), `crc32`, a
//! check sum over it and the tensors, so that a flipped bit is found and not trained on, and
//! `state`, the check sum of the other file. It holds the source too: `vanc eval
//! CHECKPOINT.safetensors` needs no other file.
//!
//! Whenever the writing is cut off, a whole pair is there: the new state is written as
//! `last.state.next.safetensors`, then the weights are replaced, then the state. Checkpoints of
//! older versions are one file, without `state`.

mod file;

use super::run_progress::RunProgress;
use crate::data::Dataset;
use crate::engines::GRADIENT_SUM_PREFIX;
use crate::error::{Error, Result};
use crate::files::{self, remove, rename, write_atomic};
use crate::flags::Overrides;
use crate::ir::{Model, Role, Slot};
use crate::tensor::Tensor;
use crate::text::{counted, listed_names};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Class names of a kind that an error lists before it only counts.
const NAMED: usize = 10;

/// Version of the format. One that reads differently gets another number.
pub const FORMAT: u32 = 1;

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
    /// Every difference, the classes first, where the images are others.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let now = DataMeta::new(dataset, self.dir.as_deref());
        let mut differences = Vec::new();
        differences.extend(self.other_classes(&now.classes));
        if now.shape != self.shape {
            differences.push(format!(
                "its images are {:?}, there they are {:?}",
                now.shape, self.shape
            ));
        }
        let counts = [
            ("training", now.train_images, self.train_images),
            ("test", now.test_images, self.test_images),
        ];
        for (split, images, there) in counts {
            if images != there {
                differences.push(format!(
                    "it has {}, there were {there}",
                    counted(images, &format!("{split} image"))
                ));
            }
        }
        if (&now.mean, &now.std) != (&self.mean, &self.std) {
            differences.push("its pixels have another mean or deviation".into());
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!(
            "{} is not the data that the run began with ({}): {}",
            dataset.name,
            self.name,
            differences.join("; ")
        ))
        .help("give the folder of that data with --data-dir"))
    }

    /// Says how the class names `now` differ from those that the network was trained on.
    pub fn other_classes(&self, now: &[String]) -> Option<String> {
        if now == self.classes {
            return None;
        }
        let lacking = |names: &[String], others: &[String]| {
            let others: HashSet<&String> = others.iter().collect();
            let names = names.iter().filter(|name| !others.contains(name));
            let names: Vec<&str> = names.map(String::as_str).collect();
            (!names.is_empty()).then(|| listed_names(&names, NAMED))
        };
        Some(
            match (lacking(now, &self.classes), lacking(&self.classes, now)) {
                (None, None) => "its classes are in another order".into(),
                (Some(new), None) => format!("it has the further classes {new}"),
                (None, Some(missing)) => format!("it lacks the classes {missing}"),
                (Some(new), Some(missing)) => {
                    format!("it has the classes {new}, there they were {missing}")
                }
            },
        )
    }
}

/// Reads the images that the weights in the bytes of a file were trained on, where it is a
/// checkpoint of vanc and says so.
pub fn trained_on(file: &[u8]) -> Option<DataMeta> {
    let meta: Meta = serde_json::from_str(&file::meta(file)?).ok()?;
    Some(meta.data)
}

/// A checkpoint in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Metadata: all that it says beside the tensors.
    pub meta: Meta,
    /// The state of the engine.
    pub tensors: Vec<Tensor>,
}

/// Bytes of both files of a checkpoint.
#[derive(Debug)]
pub struct Files {
    weights: Vec<u8>,
    /// State, where there is any.
    state: Option<Vec<u8>>,
}

impl Files {
    /// Writes the files of the checkpoint at `path`.
    ///
    /// # Errors
    /// Where a file cannot be made or written; the checkpoint that was there is whole.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(state) = &self.state {
            write_atomic(&next_state(path), state)?;
        }
        write_atomic(path, &self.weights)?;
        match self.state {
            Some(_) => rename(&next_state(path), &state(path)),
            None => remove(&state(path)),
        }
    }
}

/// Returns the path of the state that goes with the weights at `path`.
pub fn state(path: &Path) -> PathBuf {
    path.with_extension("state.safetensors")
}

/// Returns the path of the state before the weights that it goes with are written.
fn next_state(path: &Path) -> PathBuf {
    path.with_extension("state.next.safetensors")
}

/// Removes the checkpoint at `path`, the weights first.
///
/// # Errors
/// Where a file is there and cannot be removed.
pub fn remove_all(path: &Path) -> Result<()> {
    remove(path)?;
    remove(&next_state(path))?;
    remove(&state(path))
}

/// Tells whether only training needs the tensor called `name`.
fn is_state(name: &str) -> bool {
    Slot::split(name).is_some()
        || name.starts_with(GRADIENT_SUM_PREFIX)
        || name.ends_with(".lambda")
}

/// Lists PyTorch's counts of batches: one a norm, each the steps done.
fn counts(tensors: &[Tensor], step: u64) -> Vec<(String, u64)> {
    let norms = tensors
        .iter()
        .filter_map(|tensor| tensor.name.strip_suffix(".running_mean"));
    norms
        .map(|norm| (format!("{norm}{}", file::COUNT), step))
        .collect()
}

impl Checkpoint {
    /// Writes the bytes of both files.
    ///
    /// # Errors
    /// Where the metadata or the tensors cannot be put into a file.
    pub fn to_files(&self) -> Result<Files> {
        let failed = |e| Error::new(format!("cannot make the checkpoint: {e}"));
        let meta = serde_json::to_string(&self.meta).map_err(failed)?;
        let tensors = self.tensors.iter();
        let (kept, weights): (Vec<&Tensor>, Vec<&Tensor>) =
            tensors.partition(|tensor| is_state(&tensor.name));
        let step = self.meta.progress.step;
        let (state, sum) = match kept.is_empty() {
            true => (None, None),
            false => {
                let meta = StateMeta {
                    format: FORMAT,
                    step,
                };
                let meta = serde_json::to_string(&meta).map_err(failed)?;
                let (state, sum) = file::encode(meta, None, &kept, &[])?;
                (Some(state), Some(sum))
            }
        };
        let counts = counts(&self.tensors, step);
        let (weights, _) = file::encode(meta, sum, &weights, &counts)?;
        Ok(Files { weights, state })
    }

    /// Writes the files of the checkpoint at `path`.
    ///
    /// # Errors
    /// Where they cannot be made or written.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.to_files()?.write(path)
    }

    /// Reads the weights at `path` and the state beside them. A file that is cut short or
    /// damaged is an error that names it.
    ///
    /// # Errors
    /// Where a file cannot be read, is damaged, of a newer version, or holds a number that is
    /// not finite, and where there is no state that goes with the weights.
    pub fn read(path: &Path) -> Result<Checkpoint> {
        Checkpoint::read_with_state(path).map(|(checkpoint, _)| checkpoint)
    }

    /// Reads the weights at `path` and the state beside them; gives the path of the latter.
    ///
    /// # Errors
    /// As of [`Checkpoint::read`].
    pub fn read_with_state(path: &Path) -> Result<(Checkpoint, Option<PathBuf>)> {
        let (mut checkpoint, wanted) = read_one(path)?;
        let Some(wanted) = wanted else {
            return Ok((checkpoint, None));
        };
        let (path, kept) = read_state(path, &wanted)?;
        checkpoint.tensors.extend(kept);
        checkpoint.tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((checkpoint, Some(path)))
    }

    /// Reads the weights at `path` alone, which is all that running the network needs.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, of a newer version, or holds a number that is
    /// not finite.
    pub fn read_weights(path: &Path) -> Result<Checkpoint> {
        read_one(path).map(|(checkpoint, _)| checkpoint)
    }

    /// Returns the tensors of an engine that only runs `model`: the weights, and a λ of 0 where
    /// it was not read, on which no output depends.
    pub fn tensors_to_run(&self, model: &Model) -> Vec<Tensor> {
        let mut tensors = self.tensors.clone();
        let there = |name: &str| self.tensors.iter().any(|tensor| tensor.name == name);
        for spec in model.tensors() {
            if spec.role == Role::Multiplier && !there(&spec.name) {
                tensors.push(Tensor::full(spec.name, &spec.shape, 0.0));
            }
        }
        tensors
    }
}

/// Metadata of a state.
#[derive(Debug, Serialize, Deserialize)]
struct StateMeta {
    format: u32,
    /// Steps done.
    step: u64,
}

/// Reads the weights at `path`, and the check sum of the state that goes with them.
fn read_one(path: &Path) -> Result<(Checkpoint, Option<String>)> {
    let bytes = files::read(path).map_err(|e| Error::io("read", path, e))?;
    let read = || {
        let contents = file::decode(&bytes)?;
        check_format(&contents.meta)?;
        let meta = serde_json::from_str(&contents.meta).map_err(|e| file::damaged(&e))?;
        check_finite(&contents.tensors)?;
        let tensors = contents.tensors;
        Ok((Checkpoint { meta, tensors }, contents.state))
    };
    read().map_err(|e| within(path, e))
}

/// Reads the state with the check sum `wanted` that goes with the weights at `path`.
fn read_state(path: &Path, wanted: &str) -> Result<(PathBuf, Vec<Tensor>)> {
    let mut failure = None;
    // The second is there where writing was cut off between weights and state.
    for path in [state(path), next_state(path)] {
        let read = files::read(&path).map_err(|e| Error::io("read", &path, e));
        let read = read.and_then(|bytes| {
            let contents = file::decode(&bytes).map_err(|e| within(&path, e))?;
            check_format(&contents.meta).map_err(|e| within(&path, e))?;
            check_finite(&contents.tensors).map_err(|e| within(&path, e))?;
            Ok(contents)
        });
        match read {
            Ok(contents) if contents.sum == wanted => return Ok((path, contents.tensors)),
            Ok(_) => {
                failure.get_or_insert_with(|| {
                    within(
                        &path,
                        Error::new("it is of other weights than those beside it"),
                    )
                });
            }
            Err(e) => {
                failure.get_or_insert(e);
            }
        }
    }
    let failure = failure.unwrap_or_else(|| Error::new("there is no state"));
    Err(Error {
        help: Some(format!(
            "the weights in {} are whole: `vanc eval`, and --weights for a new run, take them",
            path.display()
        )),
        ..failure
    })
}

fn within(path: &Path, error: Error) -> Error {
    Error {
        message: format!(
            "cannot use the checkpoint {}: {}",
            path.display(),
            error.message
        ),
        help: error.help,
    }
}

/// Refuses the metadata of a format that another version reads.
fn check_format(meta: &str) -> Result<()> {
    let format = serde_json::from_str::<serde_json::Value>(meta)
        .ok()
        .and_then(|meta| meta.get("format").and_then(serde_json::Value::as_u64));
    match format.filter(|&format| format != u64::from(FORMAT)) {
        None => Ok(()),
        Some(format) => Err(Error::new(format!(
            "it has format {format}, this vanc reads format {FORMAT}"
        ))
        .help("use the version of vanc that wrote it")),
    }
}

/// Refuses tensors with a number that is not finite, the first named.
///
/// # Errors
/// Where there is one.
pub fn check_finite(tensors: &[Tensor]) -> Result<()> {
    for tensor in tensors {
        if let Some(place) = tensor.data.iter().position(|x| !x.is_finite()) {
            return Err(Error::new(format!(
                "{}: element {place} of {} is {}",
                tensor.name,
                tensor.data.len(),
                tensor.data[place]
            ))
            .help("weights must be finite numbers; take them from before the training diverged"));
        }
    }
    Ok(())
}
