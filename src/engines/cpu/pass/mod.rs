//! Batch norm, activation and the join of a skip in one pass, and its gradients.
//!
//! A pass is compiled when its plan is made. The fused kernel ([`mod@fused`]) runs what it
//! knows: its activations, and joins by factors ([`affine`]) or by a sigmoid gate. All
//! else runs as vector programs ([`general`]).

mod affine;
mod coefficients;
mod compile;
mod factor;
mod fused;
mod general;
mod run;
mod statistics;
#[cfg(test)]
mod tests;

pub use compile::{Pass, Passes};
pub use run::{apply, backward, forward, merge, sum};
pub use statistics::{move_statistics, statistics, statistics_scratch};
