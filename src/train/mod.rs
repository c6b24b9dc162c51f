//! Training: the loop, and what it leaves behind.
//!
//! [`session`] runs steps and evaluations from wherever a run is ([`run_progress`]), and
//! writes the log ([`metrics`], and [`tensorboard`] on request) and [`checkpoint`]s into a
//! [`run_folder`]. A run that is killed at any moment and resumed gives the numbers of one
//! that was not, bit for bit.

pub mod checkpoint;
pub mod config;
pub mod confusion;
pub mod evaluate;
pub mod history;
pub mod memory;
pub mod metrics;
pub mod options;
mod prefetch;
pub mod progress;
pub mod run_folder;
pub mod run_progress;
pub mod session;
pub mod stop;
pub mod tensorboard;
pub mod weights;
