//! Kernels of the CPU engine: the functions that its steps run.
//!
//! **Layout.** Images are `[N][H][W][C]`, vectors `[N][C]`, both with C rounded up to
//! [`LANES`] by [`padded`]; the lanes past C are zero on input and stay zero on output.
//! Weights and their gradients are in PyTorch's layouts (`O×I×k×k`, `O×I`), unpadded;
//! kernels block them into scratch.
//!
//! **Memory.** Nothing allocates: what a kernel needs beside its operands it takes as
//! `scratch`, of at least the length its `scratch_len` says. Scratch needs no zeroing.
//!
//! **Determinism.** Work is cut into parts by the problem alone, and sums over parts are
//! merged in order, so the bits do not depend on the number of threads (they do on the
//! processor's instruction set, [`Isa`]).
//!
//! Operands of the wrong length are a bug in the plan, and panic.

mod activation;
pub mod conv;
pub mod dense;
mod functions;
mod gemm;
mod geometry;
pub mod moments;
pub mod normalise;
pub mod pointwise;
mod pool;
pub mod program;
mod shared;
mod simd;
mod tail;
#[cfg(test)]
pub mod tests;
mod weight_sums;
mod weights;
pub mod winograd;

pub use activation::Activation;
pub use gemm::peak_gflops;
pub use geometry::{ConvGeometry, suits_winograd};
pub use moments::Moments;
pub use pool::{Barrier, Pool};
pub(super) use shared::Shared;
pub use simd::Isa;
pub use weight_sums::WeightSums;

/// Number of floats whose multiples channels are padded to: one AVX-512 register, one cache
/// line.
pub const LANES: usize = 16;

/// Rounds `channels` up to a whole number of [`LANES`].
pub const fn padded(channels: usize) -> usize {
    channels.div_ceil(LANES) * LANES
}
