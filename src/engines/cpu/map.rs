//! Activations as the kernels see them.

use super::kernels::padded;
use crate::plan::{Id, Plan};

/// Activations: images × positions × padded channels.
#[derive(Clone, Copy)]
pub struct Map {
    pub images: usize,
    pub positions: usize,
    /// Number of columns of positions.
    pub width: usize,
    pub channels: usize,
    /// Number of channels with the padding.
    pub stride: usize,
}

impl Map {
    /// Describes the activations in the buffer `id`.
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

    /// Describes the images of a batch of `plan` as they are given.
    pub fn of_images(plan: &Plan) -> Map {
        Map {
            images: plan.batch,
            positions: plan.image.positions(),
            width: plan.image.extent().1,
            channels: plan.image.channels(),
            stride: plan.image.channels(),
        }
    }

    /// Tells whether images are given as these vectors already: without padding, and in
    /// C, H, W order, which is theirs where there is one channel or one position.
    pub fn is_given(self, images: Map) -> bool {
        let is_ordered = images.channels == 1 || images.positions == 1;
        self.positions == 1 && self.channels == self.stride && is_ordered
    }

    /// Counts the rows of channels.
    pub fn rows(self) -> usize {
        self.images * self.positions
    }

    /// Counts the floats of an image.
    pub fn image(self) -> usize {
        self.positions * self.stride
    }
}
