//! Plain kernels, one loop nest each.
//!
//! Work is split by the problem, never by the number of threads, and sums run in a
//! fixed order, so that the bits do not depend on how many threads there are.

pub(super) mod convolution;
pub(super) mod dirac;
pub(super) mod loss;
pub(super) mod parallel;
pub(super) mod pointwise;
pub(super) mod pooling;
pub(super) mod reshape;
pub(super) mod sgd;
