//! Activations as the kernels see them.

use super::kernels::padded;
use crate::plan::{Id, Plan};

/// Images × positions × padded channels.
#[derive(Clone, Copy)]
pub struct Map {
    pub images: usize,
    pub positions: usize,
    /// Columns of positions.
    pub width: usize,
    pub channels: usize,
    /// Channels with the padding.
    pub stride: usize,
}

impl Map {
    /// The activations in the buffer `id`.
    pub fn of_buffer(plan: &Plan, id: Id) -> Map {
        let shape = plan.shape(id);
        Map {
            images: plan.batch,
            positions: shape.positions(),
            width: shape.extent().1,
            channels: shape.channels(),
            stride: padded(shape.channels()),
        }
    }

    /// Whether images are given as rows of this map already: vectors without padding.
    pub fn is_given(self) -> bool {
        self.positions == 1 && self.channels == self.stride
    }

    /// Rows of channels.
    pub fn rows(self) -> usize {
        self.images * self.positions
    }

    /// Floats of an image.
    pub fn image(self) -> usize {
        self.positions * self.stride
    }
}
