//! What moves during training besides the weights: the learning rate η, and α and λ of
//! variable skips. Host code that every engine and the training loop share.

mod multipliers;
mod rate;

pub use multipliers::{Multipliers, SkipMultipliers};
pub use rate::rate;
