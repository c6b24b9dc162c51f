//! Buffers: names, sizes, and what they hold.

use crate::ir::Shape;

/// A buffer of a plan, by its index in [`super::Plan::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub usize);

/// Block of floats with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// Name for tables: a tensor's, or the path of the layer that makes it.
    pub name: String,
    /// Contents: activations, a tensor, rows or scratch memory.
    pub kind: Kind,
    /// Number of floats.
    pub elements: usize,
    /// Memory that the floats are in.
    pub storage: Storage,
}

/// Contents of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Activations: images × positions × padded channels.
    Map(Shape),
    /// A tensor of this shape in PyTorch's layout.
    Tensor(Vec<usize>),
    /// Rows, padded: their number, and the channels of each.
    Rows(usize, usize),
    /// Scratch memory of a kernel.
    Scratch,
}

/// Memory that a buffer is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The tensor of the network with this index.
    Tensor(usize),
    /// Gradient of the tensor with this index.
    Gradient(usize),
    /// Slot of the optimizer for a tensor.
    Slot {
        /// Index of the tensor.
        tensor: usize,
        /// Index among the plan's [`super::Plan::slots`].
        slot: usize,
    },
    /// Part of the arena, for as long as the buffer is used.
    Arena {
        /// Floats of the arena before the buffer.
        offset: usize,
    },
}

/// Destination of a gradient: a buffer that may already hold what other uses of the same
/// value have contributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradientTarget {
    /// The gradient's buffer.
    pub to: Id,
    /// Whether to add to what is there, not to replace it.
    pub add: bool,
}

impl Buffer {
    /// Makes a buffer of the arena that has no place yet.
    pub(super) fn unplaced(name: &str, kind: Kind, elements: usize) -> Buffer {
        Buffer {
            name: name.to_string(),
            kind,
            elements,
            storage: Storage::Arena { offset: 0 },
        }
    }

    /// Makes a buffer for a tensor that is kept between steps.
    pub(super) fn kept(name: &str, shape: &[usize], storage: Storage) -> Buffer {
        Buffer {
            name: name.to_string(),
            kind: Kind::Tensor(shape.to_vec()),
            elements: shape.iter().product(),
            storage,
        }
    }
}
