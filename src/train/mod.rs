//! Training: the loop, and what it leaves behind.
//!
//! [`setup`] finds device, data, engine and folder; [`session`] runs steps and evaluations
//! from wherever a run is ([`run_progress`]), and writes the log ([`metrics`], and
//! [`tensorboard`] on request) and [`checkpoint`]s into a [`run_folder`]. A run that is killed at any moment and resumed gives the numbers of one
//! that was not, bit for bit.

pub mod checkpoint;
pub mod config;
pub mod confusion;
pub mod device;
pub mod difference;
pub mod evaluate;
pub mod guessing;
mod heading;
pub mod history;
pub mod metrics;
mod prefetch;
pub mod progress;
mod reschedule;
mod resume;
pub mod run_folder;
pub mod run_progress;
mod run_session;
pub mod session;
pub mod setup;
pub mod snapshot;
pub mod tensorboard;
pub mod weights;
mod worker;
