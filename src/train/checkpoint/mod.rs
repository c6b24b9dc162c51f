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
mod meta;
mod values;

pub use meta::{DataMeta, Meta};
pub use values::check_values;

use crate::engines::GRADIENT_SUM_PREFIX;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files::{self, remove, rename, write_atomic};
use crate::ir::{Model, Role, Slot};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the format. One that reads differently gets another number.
pub const FORMAT: u32 = 1;

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
    /// Where a file cannot be read, is damaged, of a newer version, or holds a value that no
    /// run has, and where there is no state that goes with the weights.
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
    /// Where the file cannot be read, is damaged, of a newer version, or holds a value that no
    /// run has.
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
        let meta: Meta = serde_json::from_str(&contents.meta).map_err(|e| file::damaged(&e))?;
        check_values(&contents.tensors)?;
        values::check_meta(&meta)?;
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
            check_values(&contents.tensors).map_err(|e| within(&path, e))?;
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
            path.shown()
        )),
        ..failure
    })
}

fn within(path: &Path, error: Error) -> Error {
    Error {
        message: format!(
            "cannot use the checkpoint {}: {}",
            path.shown(),
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
