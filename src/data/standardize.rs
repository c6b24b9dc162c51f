//! Standardising: bytes to the network's input, `(x/255 − mean)/std` per channel.

use super::{Dataset, Split};
use crate::tensor::Batch;
use rayon::prelude::*;
use std::borrow::Cow;

impl Dataset {
    /// Makes a batch of the images `start..start + size` of the test split, standardised; fewer,
    /// or none, past the end of the split.
    pub fn test_batch(&self, start: usize, size: usize) -> Batch {
        let end = start.saturating_add(size).min(self.test.len());
        let indices: Vec<usize> = (start..end).collect();
        self.batch(&self.test, &indices, |_, pixels| Cow::Borrowed(pixels))
    }

    /// Makes a batch of the images of `split` at `indices`, each changed by
    /// `vary(index, pixels)`, then standardised, channels last.
    pub(super) fn batch<'a>(
        &self,
        split: &'a Split,
        indices: &[usize],
        vary: impl Fn(usize, &'a [u8]) -> Cow<'a, [u8]> + Sync,
    ) -> Batch {
        let (elements, positions) = (self.shape.elements(), self.shape.positions());
        let tables = self.tables();
        let mut images = vec![0.0; indices.len() * elements];
        images
            .par_chunks_mut(elements)
            .zip(indices)
            .for_each(|(image, &index)| {
                let pixels = vary(index, &split.pixels[index * elements..][..elements]);
                let planes = pixels.chunks_exact(positions).zip(&tables);
                for (channel, (plane, table)) in planes.enumerate() {
                    let values = image.iter_mut().skip(channel).step_by(tables.len());
                    for (value, &pixel) in values.zip(plane) {
                        *value = table[usize::from(pixel)];
                    }
                }
            });
        Batch {
            images,
            labels: indices.iter().map(|&index| split.labels[index]).collect(),
        }
    }

    /// Computes the standardised value of each byte, per channel.
    fn tables(&self) -> Vec<[f32; 256]> {
        self.mean
            .iter()
            .zip(&self.std)
            .map(|(mean, std)| std::array::from_fn(|pixel| (pixel as f32 / 255.0 - mean) / std))
            .collect()
    }
}
