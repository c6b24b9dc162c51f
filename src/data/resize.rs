//! Planes of bytes brought to another size.

use crate::error::{Error, Result};
use crate::flags::Resize;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use std::fmt::Display;

/// Resizes planes of `from` rows and columns to `to`, by the triangle filter with antialiasing:
/// what Pillow and torchvision call bilinear.
pub(super) fn resize(
    planes: &[u8],
    from: (usize, usize),
    to: (usize, usize),
    how: Resize,
) -> Result<Vec<u8>> {
    let filter = ResizeAlg::Convolution(FilterType::Bilinear);
    let options = ResizeOptions::new().resize_alg(filter).use_alpha(false);
    let options = match how {
        Resize::Stretch => options,
        Resize::Crop => options.fit_into_destination(None),
    };
    let mut out = Vec::new();
    let mut resizer = Resizer::new();
    for plane in planes.chunks_exact((from.0 * from.1).max(1)) {
        let source = TypedImageRef::<U8>::from_buffer(extent(from.1)?, extent(from.0)?, plane);
        let source = source.map_err(|e| failed(&e))?;
        let mut target = TypedImage::<U8>::new(extent(to.1)?, extent(to.0)?);
        let resized = resizer.resize_typed(&source, &mut target, &options);
        resized.map_err(|e| failed(&e))?;
        out.extend(target.pixels().iter().map(|pixel| pixel.0));
    }
    Ok(out)
}

fn extent(n: usize) -> Result<u32> {
    u32::try_from(n).map_err(|e| failed(&e))
}

fn failed(cause: &dyn Display) -> Error {
    Error::new(format!("an image cannot be resized: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_keeps_the_middle_and_a_stretch_keeps_all() {
        // Columns 0, 0, 100, 100, 0, 0 in each of two rows, in each of two planes.
        let row = [0, 0, 100, 100, 0, 0];
        let planes = row.repeat(4);
        let resized = |how| resize(&planes, (2, 6), (2, 2), how).unwrap();
        assert_eq!(resized(Resize::Crop), [100; 8]);
        let stretched = resized(Resize::Stretch);
        assert_eq!(stretched.len(), 8);
        assert!(stretched.iter().all(|&x| 0 < x && x < 100), "{stretched:?}");
        // Of one colour, any size is of that colour.
        for how in [Resize::Stretch, Resize::Crop] {
            assert_eq!(resize(&[7; 15], (5, 3), (4, 9), how).unwrap(), [7; 36]);
        }
    }
}
