//! Quantities besides the weights that change during training: the learning rate η, and α and
//! λ of variable skips. Plain host code that every engine and the training loop share.

mod fade;
mod multipliers;
mod rate;

pub use fade::{Forecast, forecast, resolve};
pub use multipliers::{Multipliers, SkipMultipliers};
pub use rate::rate;
