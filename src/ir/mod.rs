//! The typed network: what the checker proves and every later stage reads.
//!
//! Plain data, no IO. Once a [`Model`] exists, every shape in it is right and later
//! stages may fail for lack of memory or of data, but never because the model is wrong.

pub mod call;
pub mod expr;
mod layers;
mod model;
mod shape;
mod tensors;
pub mod train;

pub use expr::Expr;
pub use layers::{
    Activation, BatchNorm, Coefficient, Concat, Conv, ConvGate, Dropout, Gate, GateSpec, Linear,
    Op, Operation, Policy, Pool, PoolKind, Project, ShapeError, Shortcut, Skip, layers, policies,
};
pub use model::{Layer, Model, ModelParam};
pub use shape::{INPUTS, Shape};
pub use tensors::{OwnTensor, Role, Start, TensorSpec};
pub use train::{
    Augment, Constraint, Data, DatasetKind, Every, Granularity, Init, Loss, Schedule, Sgd,
    Synthetic, Train,
};
