//! Buffers: names, sizes, and what they hold.

use crate::ir::Shape;

/// A buffer of a plan, by its index in [`super::Plan::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub usize);

/// Floats with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// Name for tables: a tensor's, or the path of the layer that makes it.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// How many floats.
    pub elements: usize,
    /// Where they are.
    pub storage: Storage,
}

/// What a buffer holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Activations: images × positions × padded channels.
    Map(Shape),
    /// A tensor of this shape in PyTorch's layout.
    Tensor(Vec<usize>),
    /// So many rows of this many channels, padded.
    Rows(usize, usize),
    /// Whatever a kernel wants.
    Scratch,
}

/// Where a buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The tensor of the network with this index.
    Tensor(usize),
    /// Its gradient.
    Gradient(usize),
    /// Its velocity.
    Velocity(usize),
    /// In the arena, for as long as it is used.
    Arena {
        /// Floats before it.
        offset: usize,
    },
}

impl Buffer {
    /// A buffer of the arena that has no place yet.
    pub(super) fn unplaced(name: &str, kind: Kind, elements: usize) -> Buffer {
        Buffer {
            name: name.to_string(),
            kind,
            elements,
            storage: Storage::Arena { offset: 0 },
        }
    }

    /// A tensor that is kept between steps.
    pub(super) fn kept(name: &str, shape: &[usize], storage: Storage) -> Buffer {
        Buffer {
            name: name.to_string(),
            kind: Kind::Tensor(shape.to_vec()),
            elements: shape.iter().product(),
            storage,
        }
    }
}
