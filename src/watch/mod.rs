//! A run's curves in the terminal, as they grow.
//!
//! [`state`] reads how far the run is, [`screen`] draws it, [`terminal`] keeps it on a
//! terminal until the run ends or the watcher leaves. The run is never touched.

pub mod screen;
pub mod state;
pub mod terminal;
