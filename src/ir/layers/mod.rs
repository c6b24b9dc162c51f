//! The layers: one file a family, with the row of each layer and what an operation says
//! of itself.
//!
//! A layer is a row of [`layers`], a variant of [`Op`] and an [`Operation`]. Checks,
//! tables, graphs and the language reference read these; the engines match [`Op`], so
//! that the compiler lists what a new one must do.

mod activations;
mod batch_norm;
mod concat;
mod conv;
mod dropout;
mod flatten;
mod layer;
mod linear;
mod map;
mod operation;
mod policies;
mod pools;
mod skip;

pub use activations::Activation;
pub use batch_norm::BatchNorm;
pub use conv::Conv;
pub use dropout::Dropout;
pub use layer::{Concat, ConvGate, Gate, Layer, Op, Shortcut, Skip};
pub use linear::Linear;
pub use map::MapLayer;
pub use operation::{Operation, ShapeError};
pub use policies::{Coefficient, GateSpec, Policy, policies};
pub use pools::{Pool, PoolKind};
pub use skip::Project;

use super::call::Row;

/// The row of a family as a row that makes an [`Op`].
macro_rules! row {
    ($row:expr, $op:expr) => {
        Row {
            name: $row.name,
            doc: $row.doc,
            slots: $row.slots,
            build: |arguments| ($row.build)(arguments).map($op),
        }
    };
}

/// Lists the layers that are calls and no equations; `skip` and `concat` have syntax of their
/// own, and activations are declared in the language itself.
pub fn layers() -> &'static [Row<Op>] {
    const LAYERS: &[Row<Op>] = &[
        row!(conv::ROW, Op::Conv),
        row!(linear::ROW, Op::Linear),
        row!(batch_norm::ROW, Op::BatchNorm),
        row!(map::CRELU, |_| Op::Map(MapLayer::Crelu)),
        row!(pools::MAX_POOL, |pool| Op::Map(MapLayer::Pool(pool))),
        row!(pools::AVG_POOL, |pool| Op::Map(MapLayer::Pool(pool))),
        row!(pools::GLOBAL_AVG_POOL, |_| Op::Map(MapLayer::GlobalAvgPool)),
        row!(flatten::ROW, |_| Op::Flatten),
        row!(dropout::ROW, Op::Dropout),
    ];
    LAYERS
}
