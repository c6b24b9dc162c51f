//! Image files without classes: found among files and folders, decoded and standardised.

use super::decode::{OtherSize, decode};
use super::left_out::LeftOut;
use super::listing::{look, walk};
use super::standardize::Standardization;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::flags::Resize;
use crate::ir::Shape;
use crate::tensor::Batch;
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// Advice for an image of another size.
const SIZE: &str = "--resize stretch or --resize crop fits images of another size";

/// Image files, and what was found beside them.
#[derive(Debug, Default)]
pub struct Found {
    /// Files to be decoded, in the order of the inputs; those of a folder sorted by path.
    pub files: Vec<PathBuf>,
    /// Failures: inputs that are not there, folders without an image.
    pub failures: Vec<Error>,
    /// Files in folders that were passed over, if there are any, in one line.
    pub left_out: Option<String>,
    /// Number of files that are named more than once; each is listed once.
    pub repeated: usize,
}

/// Looks for image files: those named, and those in the folders named and below them. A file that
/// is named is taken for an image whatever it holds.
pub fn find(inputs: &[PathBuf]) -> Found {
    let mut found = Found::default();
    let mut left_out = LeftOut::default();
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    for input in inputs {
        let files = match std::fs::metadata(input) {
            Err(e) => {
                found.failures.push(Error::io("read", input, e));
                continue;
            }
            Ok(there) if there.is_dir() => below(input, &mut left_out, &mut found.failures),
            Ok(_) => vec![input.clone()],
        };
        for file in files {
            let name = plain(&file);
            match seen.insert(name.clone()) {
                true => found.files.push(file),
                false => drop(repeated.insert(name)),
            }
        }
    }
    found.left_out = left_out.line();
    found.repeated = repeated.len();
    found
}

/// Removes what makes two names of one path: `./a//b` is `a/b`.
fn plain(path: &Path) -> PathBuf {
    let parts = path.components();
    parts.filter(|part| *part != Component::CurDir).collect()
}

/// Lists the image files below the folder `dir`.
fn below(dir: &Path, left_out: &mut LeftOut, failures: &mut Vec<Error>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let before = failures.len();
    walk(dir, &mut Vec::new(), &mut paths, &mut |e| failures.push(e));
    paths.sort_unstable();
    let kinds: Vec<_> = paths.par_iter().map(|path| look(path)).collect();
    let mut files = Vec::new();
    let mut passed_over = LeftOut::default();
    for (path, kind) in paths.into_iter().zip(kinds) {
        match kind {
            Ok(None) => files.push(path),
            Ok(Some(kind)) => {
                passed_over.add(kind);
                left_out.add(kind);
            }
            Err(error) => failures.push(error),
        }
    }
    if files.is_empty() && failures.len() == before {
        let passed_over = passed_over.line();
        let passed_over = passed_over.map_or_else(String::new, |line| format!(", but {line}"));
        failures.push(
            Error::new(format!("{} holds no image{passed_over}", dir.shown()))
                .help("PNG and JPEG files are read, also in folders below"),
        );
    }
    files
}

/// Images and standardisation of a network.
#[derive(Clone, Debug)]
pub struct Pictures {
    shape: Shape,
    other: OtherSize,
    standardization: Standardization,
}

impl Pictures {
    /// Prepares to read images for a network that takes those of `shape`, and was trained on
    /// channels of these means and deviations.
    ///
    /// # Errors
    /// Where no image file can be had for it.
    pub fn new(shape: Shape, fit: Option<Resize>, mean: &[f32], std: &[f32]) -> Result<Self> {
        if !matches!(shape.channels(), 1 | 3) {
            return Err(Error::new(format!(
                "image files give 1 channel (grey) or 3 (RGB), but the model takes {shape}"
            ))
            .help("predict images of a dataset with --data"));
        }
        if [mean.len(), std.len()] != [shape.channels(); 2] {
            return Err(Error::new(format!(
                "the checkpoint has {} means and {} deviations for {} channels",
                mean.len(),
                std.len(),
                shape.channels()
            ))
            .help("the file is none that vanc wrote; take another checkpoint"));
        }
        Ok(Pictures {
            shape,
            other: fit.map_or(OtherSize::Refused(SIZE), OtherSize::Fitted),
            standardization: Standardization::new(mean, std),
        })
    }

    /// Decodes `files` in parallel: the images that could be read as one batch, of no class, and
    /// for each file whether it is among them.
    pub fn read(&self, files: &[PathBuf]) -> (Batch, Vec<Result<()>>) {
        let decoded: Vec<Result<Vec<u8>>> = files
            .par_iter()
            .map(|path| decode(path, self.shape, self.other))
            .collect();
        let images: Vec<&Vec<u8>> = decoded.iter().flatten().collect();
        let elements = self.shape.elements();
        let mut batch = Batch {
            images: vec![0.0; images.len() * elements],
            labels: vec![0; images.len()],
        };
        let values = batch.images.par_chunks_mut(elements.max(1));
        values.zip(&images).for_each(|(values, pixels)| {
            let positions = self.shape.positions();
            self.standardization.fill(pixels, positions, values);
        });
        let read = decoded.into_iter().map(|pixels| pixels.map(drop));
        (batch, read.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_however_it_is_written() {
        assert_eq!(plain(Path::new("./a//b/./c")), Path::new("a/b/c"));
        assert_eq!(plain(Path::new("/a/../b")), Path::new("/a/../b"));
    }
}
