//! Batch norms that would take their statistics of single values.
//!
//! Over one value a channel, the normalised value is 0 whatever it was: the output is the bias,
//! no gradient comes through, and the running variance shrinks to 0.

use super::layers::{Layer, Op};
use super::model::Model;

/// A batch norm over single values, and why it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct SingleValues<'a> {
    /// The batch norm.
    pub layer: &'a Layer,
    /// The reason in a sentence.
    pub message: String,
    /// Batches near the one asked for that leave more than one value, the smaller first.
    pub fitting: Vec<usize>,
}

/// Division of an epoch into batches, and of those among processes.
#[derive(Clone, Copy)]
struct Division {
    /// Training images, where their number is known.
    images: Option<usize>,
    processes: usize,
}

impl Division {
    /// Whether a process gets a single image in some step: each has its even share of a batch.
    fn leaves_one(self, batch: usize) -> bool {
        let whole = self.images.map_or(batch, |images| images.min(batch));
        let last = self.images.map_or(0, |images| images % batch.max(1));
        [whole, last]
            .iter()
            .any(|&images| images > 0 && images < 2 * self.processes)
    }

    /// Finds the nearest batches below and above `batch` that leave no single image.
    fn fitting(self, batch: usize) -> Vec<usize> {
        let fits = |batch: &usize| !self.leaves_one(*batch);
        let most = self
            .images
            .unwrap_or(batch.saturating_mul(2).max(2 * self.processes));
        let below = (2..batch.min(most + 1)).rev().find(fits);
        let above = (batch + 1..=most).find(fits);
        below.into_iter().chain(above).collect()
    }

    /// Says why a process gets a single image.
    fn reason(self, batch: usize) -> String {
        match (self.images, self.processes) {
            (Some(1), _) => "there is 1 training image".into(),
            (_, 0 | 1) if batch == 1 => "a batch is 1 image".into(),
            (Some(images), 0 | 1) => {
                format!("batch {batch} leaves a last batch of 1 of {images} images")
            }
            (_, processes) => format!(
                "batch {batch} in {processes} processes leaves one of them 1 image in some step"
            ),
        }
    }
}

impl Model {
    /// Finds a batch norm that would take its statistics of single values when the network is
    /// trained on so many images, if that is known, in so many processes.
    pub fn single_values(
        &self,
        images: Option<usize>,
        processes: usize,
    ) -> Option<SingleValues<'_>> {
        let division = Division { images, processes };
        let batch = self.train.batch;
        if !division.leaves_one(batch) {
            return None;
        }
        let mut found = None;
        self.walk(&mut |layer| {
            let single = layer.input.elements() == layer.input.channels();
            if found.is_none() && single && matches!(layer.op, Op::BatchNorm(_)) {
                found = Some(layer);
            }
        });
        found.map(|layer| SingleValues {
            layer,
            message: format!(
                "`{}` would normalise single values: {}",
                layer.path,
                division.reason(batch)
            ),
            fitting: division.fitting(batch),
        })
    }
}

impl SingleValues<'_> {
    /// Advises on batches that fit, each written as `write` does.
    pub fn help(&self, write: impl Fn(usize) -> String) -> String {
        let fitting: Vec<String> = self.fitting.iter().map(|&batch| write(batch)).collect();
        match fitting.as_slice() {
            [] => "train on more images, or remove the layer".into(),
            fitting => format!("give {}, or remove the layer", fitting.join(" or ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitting(images: usize, batch: usize, processes: usize) -> Option<Vec<usize>> {
        let division = Division {
            images: Some(images),
            processes,
        };
        division.leaves_one(batch).then(|| division.fitting(batch))
    }

    #[test]
    fn batches_that_leave_more_are_found() {
        assert_eq!(fitting(50_001, 64, 1), None);
        assert_eq!(fitting(50_001, 50, 1), Some(vec![49, 51]));
        assert_eq!(fitting(257, 64, 1), Some(vec![63, 65]));
        assert_eq!(fitting(33, 1, 1), Some(vec![3]));
        assert_eq!(fitting(3, 2, 1), Some(vec![3]));
        assert_eq!(fitting(2, 64, 1), None);
        assert_eq!(fitting(1, 64, 1), Some(vec![]));
        // Shares of 2, 2 and 1.
        assert_eq!(fitting(50, 5, 3), Some(vec![10]));
        assert_eq!(fitting(60, 6, 3), None);
        let division = Division {
            images: None,
            processes: 1,
        };
        assert_eq!(division.fitting(1), [2]);
    }
}
