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
pub use layer::{Concat, ConvGate, Gate, Layer, Op, Shortcut, Skip, layers};
pub use linear::Linear;
pub use map::MapLayer;
pub use operation::{Operation, ShapeError};
pub use policies::{Coefficient, GateSpec, Mover, Policy, policies};
pub use pools::{Pool, PoolKind};
pub use skip::Project;
