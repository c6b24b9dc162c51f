//! Mean and deviation of pixels.

use crate::ir::Shape;
use rayon::prelude::*;

/// Computes the mean and standard deviation of each channel of `pixels` scaled to [0, 1]. A
/// channel whose pixels are all equal has nothing to divide by and gets a deviation of 1.
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

/// Sums Σx and Σx².
fn sums(pixels: &[u8]) -> (u64, u64) {
    pixels.iter().fold((0, 0), |(sum, squares), &pixel| {
        let pixel = u64::from(pixel);
        (sum + pixel, squares + pixel * pixel)
    })
}
