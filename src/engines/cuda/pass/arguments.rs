//! Arguments of the kernels of a pass.

use super::super::layout::{Layout, shared};
use super::super::products::int;
use crate::plan::{Id, Plan};

shared! {
    /// Pass, but for its gates and trained coefficients, as kernels take it.
    pub(super) struct PointwisePass as "PointwisePass" {
        pub(super) x: u64,
        pub(super) s: u64,
        pub(super) mean: u64,
        pub(super) variance: u64,
        pub(super) weight: u64,
        pub(super) bias: u64,
        pub(super) eps: f32,
        pub(super) channels: i32,
        pub(super) positions: i32,
        pub(super) count: u32,
    }
}

shared! {
    /// Place of a trained coefficient's values.
    pub struct Coefficient as "Coefficient" {
        values: u64,
        channel_step: i32,
        position_step: i32,
    }
}

shared! {
    /// Destination of an array's gradient.
    pub(super) struct Target as "Target" {
        pub(super) to: u64,
        pub(super) add: i32,
        pub(super) padding: i32,
    }
}

shared! {
    /// Destinations of the gradients of a pass, but for those of gates.
    pub(super) struct GradientTargets as "GradientTargets" {
        pub(super) dy: u64,
        pub(super) totals: u64,
        pub(super) dx: Target,
        pub(super) ds: Target,
    }
}

/// Structures of kernels/pointwise.cu.
pub const LAYOUTS: &[Layout] = &[
    PointwisePass::LAYOUT,
    Coefficient::LAYOUT,
    Target::LAYOUT,
    GradientTargets::LAYOUT,
];

/// Elements that one value of a trained coefficient covers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// All channels and positions.
    Layer,
    /// All positions of a channel.
    Channel,
    /// A coefficient for each activation of a sample.
    Unit,
}

impl Granularity {
    /// Finds the granularity of the coefficient `id` of a pass over `x`, by how many
    /// values it has.
    pub fn new(plan: &Plan, x: Id, id: Id) -> Granularity {
        match plan.buffer(id).elements {
            1 => Granularity::Layer,
            n if n == plan.shape(x).channels() => Granularity::Channel,
            _ => Granularity::Unit,
        }
    }
}

impl Coefficient {
    /// Places the coefficient `id`, whose values are at `values`, of a pass over `x`.
    pub fn new(plan: &Plan, x: Id, id: Id, values: u64) -> Coefficient {
        let (channel_step, position_step) = match Granularity::new(plan, x, id) {
            Granularity::Layer => (0, 0),
            Granularity::Channel => (1, 0),
            Granularity::Unit => (int(plan.shape(x).positions()), 1),
        };
        Coefficient {
            values,
            channel_step,
            position_step,
        }
    }
}
