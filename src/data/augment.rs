//! Random changes of training images, applied to their bytes.

use crate::ir::{Augment, Shape};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;

/// A change of one image, its random numbers drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Crop of the image padded by `pad`, with its corner at row `down` and column `right`.
    Crop {
        pad: usize,
        down: usize,
        right: usize,
    },
    /// Mirroring from left to right, if true.
    Flip(bool),
}

impl Change {
    /// Returns the numbers that describe the change to an engine: rows and columns from the
    /// image's corner to the crop's, clamped to ±2³⁰; or 0, and 1 for a mirror image.
    pub fn numbers(self) -> (i32, i32) {
        const FAR: i64 = 1 << 30;
        let apart = |offset: usize, pad: usize| {
            let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX / 2);
            (whole(offset) - whole(pad)).clamp(-FAR, FAR) as i32
        };
        match self {
            Change::Crop { pad, down, right } => (apart(down, pad), apart(right, pad)),
            Change::Flip(is_flipped) => (0, i32::from(is_flipped)),
        }
    }
}

/// Draws the random numbers of `changes` for one image from `rng`.
pub(super) fn draw(changes: &[Augment], rng: &mut ChaCha8Rng) -> impl Iterator<Item = Change> {
    changes.iter().map(|change| match *change {
        Augment::PadCrop(pad) => {
            let last = pad.saturating_mul(2);
            let (down, right) = (rng.random_range(0..=last), rng.random_range(0..=last));
            Change::Crop { pad, down, right }
        }
        Augment::FlipHorizontal => Change::Flip(rng.random()),
    })
}

/// Applies `changes` to an image in order, with random numbers drawn from `rng`.
pub(super) fn vary<'a>(
    changes: &[Augment],
    pixels: &'a [u8],
    shape: Shape,
    rng: &mut ChaCha8Rng,
) -> Cow<'a, [u8]> {
    let (height, width) = shape.extent();
    draw(changes, rng).fold(Cow::Borrowed(pixels), |pixels, change| match change {
        Change::Crop { pad, down, right } => {
            pad_crop(&pixels, height, width, pad, down, right).into()
        }
        Change::Flip(true) => flip_horizontal(&pixels, width).into(),
        Change::Flip(false) => pixels,
    })
}

/// Crops the image padded by `pad` black pixels on each side; the crop's corner is at row
/// `down` and column `right` of the padded image.
fn pad_crop(
    pixels: &[u8],
    height: usize,
    width: usize,
    pad: usize,
    down: usize,
    right: usize,
) -> Vec<u8> {
    let mut out = vec![0; pixels.len()];
    let (to_row, from_row, rows) = overlap(height, pad, down);
    let (to_column, from_column, columns) = overlap(width, pad, right);
    for (to, from) in out
        .chunks_exact_mut(height * width)
        .zip(pixels.chunks_exact(height * width))
    {
        for row in 0..rows {
            let to = &mut to[(to_row + row) * width + to_column..][..columns];
            to.copy_from_slice(&from[(from_row + row) * width + from_column..][..columns]);
        }
    }
    out
}

/// Computes the overlap of crop and image along one axis: its start in the crop, its start in the
/// image, and its length, when the image moves by `pad − offset`.
fn overlap(extent: usize, pad: usize, offset: usize) -> (usize, usize, usize) {
    let (to, from) = (pad.saturating_sub(offset), offset.saturating_sub(pad));
    match extent.checked_sub(to.max(from)) {
        Some(kept) if kept > 0 => (to, from, kept),
        // The crop lies beside the image.
        Some(_) | None => (0, 0, 0),
    }
}

/// Mirrors every row of the image.
fn flip_horizontal(pixels: &[u8], width: usize) -> Vec<u8> {
    pixels
        .chunks_exact(width)
        .flat_map(|row| row.iter().rev().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Image of one channel of 2×3 pixels, none of them black.
    const IMAGE: [u8; 6] = [1, 2, 3, 4, 5, 6];

    #[test]
    fn a_crop_at_the_centre_is_the_image() {
        assert_eq!(pad_crop(&IMAGE, 2, 3, 2, 2, 2), IMAGE);
    }

    #[test]
    fn a_crop_off_the_centre_shifts_black_pixels_in() {
        // Up and left of the centre: the image moves down by 1 and right by 2.
        assert_eq!(pad_crop(&IMAGE, 2, 3, 2, 1, 0), [0, 0, 0, 0, 0, 1]);
        // Down and right of it.
        assert_eq!(pad_crop(&IMAGE, 2, 3, 1, 2, 2), [5, 6, 0, 0, 0, 0]);
    }

    #[test]
    fn channels_are_cropped_alike() {
        let two: Vec<u8> = [IMAGE, IMAGE.map(|pixel| pixel + 10)].concat();
        assert_eq!(
            pad_crop(&two, 2, 3, 1, 1, 2),
            [2, 3, 0, 5, 6, 0, 12, 13, 0, 15, 16, 0]
        );
    }

    #[test]
    fn a_crop_beside_the_image_is_black() {
        for (down, right) in [(0, 0), (20, 20), (10, 0), (13, 10)] {
            assert_eq!(pad_crop(&IMAGE, 2, 3, 10, down, right), [0; 6]);
        }
        let far = usize::MAX;
        assert_eq!(pad_crop(&IMAGE, 2, 3, far, 0, far), [0; 6]);
    }

    #[test]
    fn flipping_mirrors_each_row() {
        assert_eq!(flip_horizontal(&IMAGE, 3), [3, 2, 1, 6, 5, 4]);
    }

    #[test]
    fn every_offset_and_both_sides_occur() {
        let shape = Shape::image(1, 2, 3);
        let mut rng = super::super::random::stream(super::super::random::Purpose::Augment, 0, 0, 0);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..400 {
            seen.insert(vary(&[Augment::PadCrop(1)], &IMAGE, shape, &mut rng).into_owned());
        }
        assert_eq!(seen.len(), 9);
        seen.clear();
        for _ in 0..50 {
            seen.insert(vary(&[Augment::FlipHorizontal], &IMAGE, shape, &mut rng).into_owned());
        }
        assert_eq!(seen.len(), 2);
    }
}
