//! Max pooling.

use super::backend::{Backend, Matrix, device_failed};
use super::windows::Geometry;
use crate::error::Result;
use dfdx::dtypes::Dtype;
use dfdx::shapes::HasShape;
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{GatherTo, ReshapeTo};

/// Finds the largest value of each channel in each window.
///
/// dfdx's `max` hands the gradient to every element that equals the largest, and after
/// a ReLU ties at 0 are common; so the host finds the first largest one of each window
/// and `gather` takes it, which hands the gradient to it alone.
pub(super) fn max<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    images: usize,
    windows: Geometry,
) -> Result<Matrix<E, D, T>> {
    let (rows, channels) = *x.shape();
    let found = largest(&x.as_vec(), images, channels, windows);
    let count = found.len();
    let found = x.device().try_tensor_from_vec(found, (count,));
    let found = found.map_err(device_failed)?;
    x.try_reshape_like(&(rows * channels,))
        .and_then(|x| x.try_gather(found))
        .and_then(|x| x.try_reshape_like(&(count / channels, channels)))
        .map_err(device_failed)
}

/// Finds the index of the first largest element (or the last NaN) of each window and channel.
fn largest<E: Dtype>(x: &[E], images: usize, channels: usize, windows: Geometry) -> Vec<usize> {
    let mut found = Vec::with_capacity(images * windows.windows() * channels);
    let is_nan = |x: E| x.to_f64().is_none_or(f64::is_nan);
    let mut position = 0;
    windows.visit(images, &mut |row| {
        let Some(row) = row else { return };
        let here = row * channels..(row + 1) * channels;
        if position % windows.area() == 0 {
            found.extend(here);
        } else {
            let start = found.len() - channels;
            for (best, index) in found[start..].iter_mut().zip(here) {
                if x[index] > x[*best] || is_nan(x[index]) {
                    *best = index;
                }
            }
        }
        position += 1;
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn winners(x: &[f64], channels: usize) -> Vec<usize> {
        let windows = Geometry {
            input: (2, x.len() / channels / 2),
            output: (1, x.len() / channels / 4),
            kernel: 2,
            stride: 2,
            padding: 0,
        };
        largest(x, 1, channels, windows)
    }

    #[test]
    fn the_first_of_equals_wins() {
        assert_eq!(
            winners(&[1.0, 3.0, 0.0, 0.0, 3.0, 2.0, 0.0, 0.0], 1),
            [1, 2]
        );
    }

    #[test]
    fn each_channel_has_its_own() {
        assert_eq!(
            winners(&[1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0, 6.0], 2),
            [6, 1]
        );
    }

    #[test]
    fn nan_wins() {
        assert_eq!(winners(&[1.0, f64::NAN, 5.0, 7.0], 1), [1]);
        assert_eq!(winners(&[f64::NEG_INFINITY; 4], 1), [0]);
    }
}
