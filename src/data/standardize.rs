//! From bytes to what a network takes: `(x/255 − mean) / std`, per channel.

use super::{Dataset, Split};
use crate::ir::Shape;
use crate::tensor::Batch;
use rayon::prelude::*;
use std::borrow::Cow;

/// Mean and standard deviation of each channel of `pixels` scaled to [0, 1]. A channel
/// whose pixels are all equal has nothing to divide by and gets a deviation of 1.
pub(super) fn statistics(pixels: &[u8], shape: Shape) -> (Vec<f32>, Vec<f32>) {
    let (channels, positions) = (shape.channels(), shape.positions());
    let images = pixels.len() / shape.elements().max(1);
    (0..channels)
        .map(|channel| {
            // Sums of integers are exact, so their order (and the threads) don't matter.
            let (sum, squares) = (0..images)
                .into_par_iter()
                .map(|image| {
                    let start = (image * channels + channel) * positions;
                    sums(&pixels[start..start + positions])
                })
                .reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
            let count = (images * positions).max(1) as f64;
            let mean = sum as f64 / count;
            // n²·variance, exact in 128 bits: no cancellation for nearly constant channels.
            let spread =
                (images * positions) as u128 * u128::from(squares) - u128::from(sum).pow(2);
            let std = if spread == 0 {
                1.0
            } else {
                (spread as f64).sqrt() / count / 255.0
            };
            ((mean / 255.0) as f32, std as f32)
        })
        .unzip()
}

/// Σx and Σx².
fn sums(pixels: &[u8]) -> (u64, u64) {
    pixels.iter().fold((0, 0), |(sum, squares), &pixel| {
        let pixel = u64::from(pixel);
        (sum + pixel, squares + pixel * pixel)
    })
}

impl Dataset {
    /// Images `start..start + size` of the test split, standardised; fewer (or none)
    /// where the split ends before.
    pub fn test_batch(&self, start: usize, size: usize) -> Batch {
        let end = start.saturating_add(size).min(self.test.len());
        let indices: Vec<usize> = (start..end).collect();
        self.batch(&self.test, &indices, |_, pixels| Cow::Borrowed(pixels))
    }

    /// The images of `split` at `indices`, each changed by `vary(index, pixels)`, then
    /// standardised, channels last.
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

    /// What each byte becomes, per channel.
    fn tables(&self) -> Vec<[f32; 256]> {
        self.mean
            .iter()
            .zip(&self.std)
            .map(|(mean, std)| std::array::from_fn(|pixel| (pixel as f32 / 255.0 - mean) / std))
            .collect()
    }
}
