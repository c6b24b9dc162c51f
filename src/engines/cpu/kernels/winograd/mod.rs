//! 3×3 convolutions by Winograd's F(4×4, 3×3): a quarter of the multiplications of the
//! definition for stride 1, and nine sixteenths for stride 2.
//!
//! Output is cut into tiles of 4×4. For stride 1, a tile's 6×6 inputs and every filter's
//! 3×3 taps become 36 values each; at each of the 36 points, the products are one matrix
//! product of tiles × inputs by inputs × outputs; and 36 sums become a tile of output
//! (in `transform`). The input's gradient is the same with filters turned by 180°, the
//! weight's is the transpose.
//!
//! For stride 2, the middle tap goes with every other position and the outer two with
//! those between, along either axis: four `Phase`s, each a convolution of stride 1 with
//! at most 2×2 taps. F(4×4, 2×2) has 25 points; a middle tap has none at ∞. The products
//! of all phases at a point have the same way to the output, so they are one sum: 81
//! products where the definition has 144. The input's gradient has one transform of its
//! tiles of `dy`, and an output a phase.
//!
//! The rms error of 64 to 256 channels against exact arithmetic is 9e-7 of the rms
//! result (5e-7 for the weight's gradient), for stride 2 7e-7 (3e-7), where direct
//! convolution ([`super::conv`]) has 2.6e-7 (2e-7).
//!
//! Transformed tiles lie as `[point][phase][C/16][tile][16]`, filters as
//! `[point][O/16][I][16]`, phases being further inputs or outputs; each plane (what one
//! point has) is one cache line longer than it need be, so that the same place in all
//! planes does not fall into one set of the cache.

mod axes;
mod convolve;
mod filter;
mod tiles;
mod tiling;
mod transform;
mod weight;

use super::ConvGeometry;
use super::moments::Moments;
use super::pool::Pool;
use convolve::Convolution;
use tiling::Tiling;

pub use weight::{weight_gradient, weight_gradient_scratch_len};

/// Computes `y = x ⋆ w`: `x` `[N][H][W][I]`, `w` `O×I×3×3`, `y` `[N][H'][W'][O]`, the
/// channels of both images padded. With `moments`, also the statistics of `y`.
pub fn forward(
    pool: &Pool,
    g: &ConvGeometry,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    moments: Option<Moments>,
    scratch: &mut [f32],
) {
    assert!(x.len() >= g.input_len() && w.len() >= g.weight_len() && y.len() >= g.output_len());
    let convolution = Convolution::new(Tiling::forward(g), moments.is_some());
    convolution.run(pool, x, w, y, false, moments, scratch);
}

/// Floats of scratch that [`forward`] needs.
pub fn forward_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    Convolution::new(Tiling::forward(g), true).scratch_len(threads)
}

/// Computes `dx = ∂C/∂x` from `dy = ∂C/∂y`, `dx[i] = Σ dy[(i + p − t)/s]·w[t]`, or adds it to
/// `dx` if `accumulate` is set. Shapes are those of [`forward`].
pub fn input_gradient(
    pool: &Pool,
    g: &ConvGeometry,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    accumulate: bool,
    scratch: &mut [f32],
) {
    assert!(dx.len() >= g.input_len() && w.len() >= g.weight_len() && dy.len() >= g.output_len());
    let convolution = Convolution::new(Tiling::backward(g), false);
    convolution.run(pool, dy, w, dx, accumulate, None, scratch);
}

/// Floats of scratch that [`input_gradient`] needs.
pub fn input_gradient_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    Convolution::new(Tiling::backward(g), false).scratch_len(threads)
}
