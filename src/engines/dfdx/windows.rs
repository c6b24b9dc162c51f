//! Rows of the activations that each window of a convolution or pooling covers.

use super::backend::device_failed;
use crate::error::{Error, Result};
use crate::ir::Shape;
use dfdx::tensor::{Tensor, TensorFromVec};
use std::collections::HashMap;

/// Square windows sliding over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Geometry {
    /// Rows and columns of the image.
    pub input: (usize, usize),
    /// Rows and columns of windows.
    pub output: (usize, usize),
    /// Side of a window.
    pub kernel: usize,
    /// Step s between windows.
    pub stride: usize,
    /// Zeros added on each side of the image.
    pub padding: usize,
}

impl Geometry {
    /// Makes the windows that give `output` from `input`.
    pub fn new(
        input: Shape,
        output: Shape,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Geometry {
        Geometry {
            input: input.extent(),
            output: output.extent(),
            kernel,
            stride,
            padding,
        }
    }

    /// Tells whether each window is the one position it is made for.
    pub fn is_pointwise(self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Counts the windows in an image.
    pub fn windows(self) -> usize {
        self.output.0 * self.output.1
    }

    /// Counts the positions in a window.
    pub fn area(self) -> usize {
        self.kernel * self.kernel
    }

    /// Calls `visit` for every position of every window of `images` images, window by
    /// window in row-major order, with the row that holds the position (images one
    /// after another, each row-major), or None in the padding.
    pub fn visit(self, images: usize, visit: &mut dyn FnMut(Option<usize>)) {
        let ((height, width), (rows, columns)) = (self.input, self.output);
        let inside = |window: usize, offset: usize, extent: usize| {
            (window * self.stride + offset)
                .checked_sub(self.padding)
                .filter(|&position| position < extent)
        };
        for image in 0..images {
            for window in 0..rows * columns {
                for offset in 0..self.area() {
                    let y = inside(window / columns, offset / self.kernel, height);
                    let x = inside(window % columns, offset % self.kernel, width);
                    visit(y.zip(x).map(|(y, x)| (image * height + y) * width + x));
                }
            }
        }
    }
}

/// Row numbers for dfdx's `gather`.
pub(super) type Rows<D> = Tensor<(usize,), usize, D>;

/// Row numbers of the last few geometries, kept because every step asks for the same ones.
pub(super) struct Windows<D: TensorFromVec<usize>> {
    images: usize,
    rows: HashMap<Geometry, Rows<D>>,
}

impl<D: TensorFromVec<usize>> Windows<D> {
    /// Makes an empty store of row numbers.
    pub fn new() -> Self {
        Windows {
            images: 0,
            rows: HashMap::new(),
        }
    }

    /// Returns the rows that the windows of `images` images cover, positions × windows ×
    /// images of them; the row after the last stands for the padding. Those of another
    /// number of images are forgotten.
    pub fn rows(&mut self, device: &D, geometry: Geometry, images: usize) -> Result<Rows<D>> {
        if self.images != images {
            self.rows.clear();
            self.images = images;
        }
        if let Some(rows) = self.rows.get(&geometry) {
            return Ok(rows.clone());
        }
        let count = images * geometry.windows() * geometry.area();
        let mut rows = Vec::new();
        rows.try_reserve_exact(count).map_err(|_| {
            Error::new(format!("there is no memory for {count} row numbers"))
                .help("choose a smaller --batch")
        })?;
        let padding = images * geometry.input.0 * geometry.input.1;
        geometry.visit(images, &mut |row| rows.push(row.unwrap_or(padding)));
        let rows: Rows<D> = device
            .try_tensor_from_vec(rows, (count,))
            .map_err(device_failed)?;
        self.rows.insert(geometry, rows.clone());
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(geometry: Geometry, images: usize) -> Vec<Option<usize>> {
        let mut rows = Vec::new();
        geometry.visit(images, &mut |row| rows.push(row));
        rows
    }

    #[test]
    fn padded_windows_of_a_line() {
        let geometry = Geometry {
            input: (1, 3),
            output: (1, 2),
            kernel: 3,
            stride: 2,
            padding: 1,
        };
        let (n, s) = (None, Some);
        let line = |a, b, c| [n, n, n, a, b, c, n, n, n];
        let expected = [line(n, s(0), s(1)), line(s(1), s(2), n)].concat();
        assert_eq!(rows(geometry, 1), expected);
        let second = [line(n, s(3), s(4)), line(s(4), s(5), n)].concat();
        assert_eq!(rows(geometry, 2)[18..], second);
    }

    #[test]
    fn pooling_windows_of_an_image() {
        let geometry = Geometry {
            input: (4, 5),
            output: (2, 2),
            kernel: 2,
            stride: 2,
            padding: 0,
        };
        let expected: Vec<_> = [0, 1, 5, 6, 2, 3, 7, 8, 10, 11, 15, 16, 12, 13, 17, 18]
            .map(Some)
            .to_vec();
        assert_eq!(rows(geometry, 1), expected);
    }
}
