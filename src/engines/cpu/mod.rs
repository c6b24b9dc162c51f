//! The compiled CPU engine.

pub mod kernels;
