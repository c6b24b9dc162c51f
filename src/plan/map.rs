//! Maps: steps that move, choose or weigh activations without a weight of their own.
//!
//! A new one is a kind here, with its name and its rule for the gradient, and an arm in
//! each engine.

use super::buffer::{GradientTarget, Id};
use super::convolution::{Window, window};
use crate::ir::{MapLayer, PoolKind, Shape};

/// Step that makes activations of others.
#[derive(Clone, Debug, PartialEq)]
pub struct MapStep {
    /// Operation.
    pub kind: MapKind,
    /// Buffers that are read, in the order that the kind says.
    pub inputs: Vec<Id>,
    /// Buffer that is made.
    pub y: GradientTarget,
}

/// Operation of a map on its inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MapKind {
    /// `[max(x, 0), max(−x, 0)]` along channels, of x.
    Crelu,
    /// `dx = dy₁·[x > 0] − dy₂·[x < 0]`, of x and dy.
    CreluGradient,
    /// Activations a and b joined along channels, of both.
    Concat {
        /// Channels of a.
        first: usize,
    },
    /// The channels of dy from `from` on, as many as dx has.
    ConcatGradient {
        /// First channel.
        from: usize,
    },
    /// The largest value of each window of x.
    MaxPool(Window),
    /// Gradient of the largest value: dy to the first largest element of each window, of
    /// x and dy.
    MaxPoolGradient(Window),
    /// The mean of each window of x.
    AvgPool(Window),
    /// Gradient of the mean: dy/positions to every element of the window.
    AvgPoolGradient(Window),
    /// Every `stride`-th position of x, zeros in the channels that x has not.
    Subsample {
        /// Step between positions.
        stride: usize,
    },
    /// Gradient of the subsample: dy to the positions taken.
    SubsampleGradient {
        /// Step between positions.
        stride: usize,
    },
    /// Vector of x, positions × channels, in C, H, W order.
    Flatten,
    /// Gradient of the vector: dy as positions × channels.
    FlattenGradient,
    /// The dropout mask of the layer in this step, of nothing.
    Mask {
        /// Probability of 0.
        p: f64,
    },
    /// Product `x∘m`, of both; its gradient is dy∘m.
    Multiply,
    /// Copy of x, for a target that it is added to.
    Add,
}

/// Map that makes the gradient of an input.
pub(super) struct MapGradient {
    /// Input that the gradient is of.
    pub input: Id,
    /// Operation of the map.
    pub kind: MapKind,
    /// Inputs of the map.
    pub inputs: Vec<Id>,
}

impl MapStep {
    /// Makes a map that replaces what is in `y`.
    pub(super) fn new(kind: MapKind, inputs: &[Id], y: Id) -> MapStep {
        MapStep {
            kind,
            inputs: inputs.to_vec(),
            y: GradientTarget { to: y, add: false },
        }
    }

    /// Lists the maps that make the inputs' gradients from `dy = ∂C/∂y`.
    pub(super) fn gradients(&self, dy: Id) -> Vec<MapGradient> {
        // A gradient of the first input that dy alone makes.
        let of_dy = |kind| vec![(0, kind, vec![dy])];
        // A gradient of the first input, which is read again.
        let of_both = |kind| vec![(0, kind, vec![self.inputs[0], dy])];
        let rules = match self.kind {
            MapKind::Crelu => of_both(MapKind::CreluGradient),
            MapKind::MaxPool(window) => of_both(MapKind::MaxPoolGradient(window)),
            MapKind::AvgPool(window) => of_dy(MapKind::AvgPoolGradient(window)),
            MapKind::Subsample { stride } => of_dy(MapKind::SubsampleGradient { stride }),
            MapKind::Flatten => of_dy(MapKind::FlattenGradient),
            MapKind::Concat { first } => [0, first]
                .map(|from| MapKind::ConcatGradient { from })
                .into_iter()
                .enumerate()
                .map(|(index, kind)| (index, kind, vec![dy]))
                .collect(),
            // m is a mask, which is constant.
            MapKind::Multiply => vec![(0, MapKind::Multiply, vec![dy, self.inputs[1]])],
            MapKind::Mask { .. } => Vec::new(),
            // These are not forward steps.
            MapKind::CreluGradient
            | MapKind::ConcatGradient { .. }
            | MapKind::MaxPoolGradient(_)
            | MapKind::AvgPoolGradient(_)
            | MapKind::SubsampleGradient { .. }
            | MapKind::FlattenGradient
            | MapKind::Add => Vec::new(),
        };
        let gradient = |(index, kind, inputs): (usize, MapKind, Vec<Id>)| MapGradient {
            input: self.inputs[index],
            kind,
            inputs,
        };
        rules.into_iter().map(gradient).collect()
    }
}

impl MapKind {
    /// Returns the map that computes a layer.
    pub(super) fn of_layer(layer: &MapLayer, input: Shape, output: Shape) -> MapKind {
        match layer {
            MapLayer::Crelu => MapKind::Crelu,
            MapLayer::Pool(pool) => {
                let window = window(input, output, pool.kernel, pool.stride, 0);
                match pool.kind {
                    PoolKind::Max => MapKind::MaxPool(window),
                    PoolKind::Mean => MapKind::AvgPool(window),
                }
            }
            MapLayer::GlobalAvgPool => MapKind::AvgPool(Window {
                input: input.extent(),
                kernel: input.extent(),
                ..Window::POINT
            }),
        }
    }

    /// Tells whether threads can share out the map of vectors by images.
    pub fn is_shared_by_images(self) -> bool {
        match self {
            MapKind::Crelu
            | MapKind::CreluGradient
            | MapKind::Concat { .. }
            | MapKind::ConcatGradient { .. }
            | MapKind::Multiply
            | MapKind::Add => true,
            // Of images, not vectors; or one stream of random numbers for the whole batch.
            MapKind::MaxPool(_)
            | MapKind::MaxPoolGradient(_)
            | MapKind::AvgPool(_)
            | MapKind::AvgPoolGradient(_)
            | MapKind::Subsample { .. }
            | MapKind::SubsampleGradient { .. }
            | MapKind::Flatten
            | MapKind::FlattenGradient
            | MapKind::Mask { .. } => false,
        }
    }

    /// Returns a word for tables and profiles.
    pub(super) fn name(self) -> &'static str {
        match self {
            MapKind::Crelu => "crelu",
            MapKind::CreluGradient => "crelu: gradient",
            MapKind::Concat { .. } => "concat",
            MapKind::ConcatGradient { .. } => "concat: gradient",
            MapKind::MaxPool(_) => "max pool",
            MapKind::MaxPoolGradient(_) => "max pool: gradient",
            MapKind::AvgPool(_) => "avg pool",
            MapKind::AvgPoolGradient(_) => "avg pool: gradient",
            MapKind::Subsample { .. } => "subsample",
            MapKind::SubsampleGradient { .. } => "subsample: gradient",
            MapKind::Flatten => "flatten",
            MapKind::FlattenGradient => "flatten: gradient",
            MapKind::Mask { .. } => "dropout mask",
            MapKind::Multiply => "multiply",
            MapKind::Add => "add",
        }
    }
}
