//! The network as explicit steps over buffers: what a compiled engine runs.
//!
//! A [`Plan`] is made for one batch size, before anything runs. `forward` lays the layers
//! out one step an operation, `fuse` joins those that can share a pass over memory,
//! `backward` derives the gradient steps by rule, and `place` gives each buffer its place
//! in one arena, sharing memory where lives do not overlap. All of it is plain data: a
//! [`Step`] carries the buffers that it reads and writes from where it is made. What
//! depends on the engine (how many channels make a line, how a convolution is computed,
//! how much scratch memory a kernel wants) comes from a [`Target`].
//!
//! ```text
//! Model ─forward─▶ steps ─fuse─▶ fewer steps ─backward─▶ + gradient and update steps
//!       ─place─▶ offsets, peak bytes
//! ```
//!
//! Activations are images × positions × channels, the channels padded to a multiple of
//! [`Target::lanes`]; padding lanes hold zeros. Tensors of the network keep PyTorch's
//! layouts.

mod backward;
mod buffer;
mod convolution;
mod cost;
mod forward;
mod fuse;
mod layout;
mod map;
mod place;
mod step;
mod target;

pub use buffer::{Buffer, GradientTarget, Id, Kind, Storage};
pub use convolution::{ConvPass, Convolution, Method, Window};
pub use cost::Cost;
pub use layout::{Plan, Purpose};
pub use map::{MapKind, MapStep};
pub use step::{Action, Activation, Join, Norm, Pointwise, PointwiseGradients, Statistics, Step};
pub use target::Target;

use crate::error::Result;
use crate::ir::Model;

impl Plan {
    /// Lays out `model` for `batch` images.
    ///
    /// # Errors
    /// Where a layer has no tensor of a name that its steps need.
    pub fn new(model: &Model, batch: usize, purpose: Purpose, target: &dyn Target) -> Result<Plan> {
        let mut plan = forward::lay_out(model, batch, purpose, target)?;
        match purpose {
            Purpose::Training => {
                fuse::fuse(&mut plan);
                backward::differentiate(&mut plan, model);
            }
            Purpose::Evaluation => fuse::fuse(&mut plan),
            Purpose::Inspection => {}
        }
        place::place(&mut plan, target);
        Ok(plan)
    }
}
