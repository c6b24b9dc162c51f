//! The typed network: what the checker proves and every later stage reads.
//!
//! Plain data, no IO. Once a [`Model`] exists, every shape in it is right and later
//! stages may fail for lack of memory or of data, but never because the model is wrong.

pub mod expr;
mod model;
mod op;
mod optimizer;
mod shape;
mod tensors;
mod train;

pub use expr::Expr;
pub use model::{Layer, Model, ModelParam};
pub use op::{Conv, ConvGate, Form, Gate, Linear, Op, Policy, Pool, Shortcut, Skip};
pub use optimizer::{Optimizer, Sgd, Slot};
pub use shape::Shape;
pub use tensors::{Role, TensorSpec};
pub use train::{
    Augment, Constraint, Data, DatasetKind, Every, Granularity, Init, Loss, Schedule, Synthetic,
    Train,
};
