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

    /// The images of a batch of `plan` as they are given.
    pub fn of_images(plan: &Plan) -> Map {
        Map {
            images: plan.batch,
            positions: plan.image.positions(),
            width: plan.image.extent().1,
            channels: plan.image.channels(),
            stride: plan.image.channels(),
        }
    }

    /// Whether images are given as these vectors already: without padding, and in C, H, W
    /// order, which is theirs where there is one channel or one position.
    pub fn is_given(self, images: Map) -> bool {
        let is_ordered = images.channels == 1 || images.positions == 1;
        self.positions == 1 && self.channels == self.stride && is_ordered
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
