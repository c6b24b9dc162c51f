//! Convolutions of any kernel, stride and padding, as products of patches and weights.
//!
//! Patches are never laid out for the whole batch: a part of the work packs those of a
//! few rows (positions of the output, in the order of memory) into its own scratch as
//! `[K/16][row][16]`, K running over taps and then input channels, and multiplies them
//! while they are in cache. Where the input has so few channels that padding would be
//! most of the work (images), K runs over channels and then taps without padding.

mod backward;
mod forward;
mod patches;
mod shapes;
mod weight;

pub use backward::{input_gradient, input_gradient_scratch_len};
pub use forward::{forward, forward_scratch_len};
pub use weight::{weight_gradient, weight_gradient_scratch_len};
