//! The typed network: what the checker proves and every later stage reads.
//!
//! Plain data, no IO. Once a [`Model`] exists, every shape in it is right and later
//! stages may fail for lack of memory or of data, but never because the model is wrong.

mod augment;
pub mod call;
pub mod expr;
mod layers;
mod model;
mod role;
mod shape;
mod single_values;
mod tensors;
pub mod train;

pub use augment::Augment;
pub use expr::Expr;
pub use layers::{
    Activation, BatchNorm, Coefficient, Concat, Conv, ConvGate, Dropout, Gate, GateSpec, Layer,
    Linear, MapLayer, Mover, Op, Operation, Policy, Pool, PoolKind, Project, ShapeError, Shortcut,
    Skip, layers, policies,
};
pub use model::{Model, ModelParam};
pub use role::{Held, OwnTensor, Role, Start};
pub use shape::{INPUTS, Shape};
pub use single_values::SingleValues;
pub use tensors::TensorSpec;
pub use train::{
    Constraint, Data, DatasetKind, Every, Fade, Granularity, Init, Loss, Optimizer, Rates,
    Schedule, Sgd, Slot, Speed, Synthetic, Train,
};
