//! 3×3 convolutions by Winograd's F(4×4, 3×3): a quarter of the multiplications of the
//! definition for stride 1, and for stride 2 nine sixteenths.
//!
//! Output is cut into tiles of 4×4. For stride 1, a tile's 6×6 inputs and every filter's
//! 3×3 taps become 36 values each; at each of the 36 points, the products are one matrix
//! product of tiles × inputs by inputs × outputs; and 36 sums become a tile of output
//! ([`transform`]). The input's gradient is the same with filters turned by 180°, the
//! weight's is the transpose.
//!
//! For stride 2, the middle tap goes with every other position and the outer two with
//! those between, along either axis: four [`Phase`]s, each a convolution of stride 1 with
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
mod transform;
mod weight;

use super::moments::Moments;
use super::pool::Pool;
use super::{ConvGeometry, LANES, padded};
use convolve::Convolution;
use std::ops::Range;
use transform::{Phase, phases_at, points, products};

pub use weight::{weight_gradient, weight_gradient_scratch_len};

/// Whether windows of this kernel, stride and padding can be computed here.
pub fn suits(kernel: (usize, usize), stride: usize, padding: usize) -> bool {
    kernel == (3, 3)
        && match stride {
            1 => padding <= 2,
            2 => padding == 1,
            _ => false,
        }
}

/// Side of a tile of output.
const TILE: usize = 4;

/// Which way the weights are used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// From inputs to outputs.
    Forward,
    /// From outputs to inputs, taps in reverse.
    Backward,
}

/// Sizes of a pass over tiles: of the convolution itself or of its transpose.
#[derive(Clone, Copy)]
struct Tiling {
    direction: Direction,
    /// Of the convolution.
    stride: usize,
    in_channels: usize,
    out_channels: usize,
    /// Height and width of the input.
    input: [usize; 2],
    /// Height and width of the output.
    output: [usize; 2],
    /// From a position of a tile to the next, in the input and in the output.
    in_step: usize,
    out_step: usize,
    padding: usize,
    /// Tiles of an image, down and across.
    tiles: [usize; 2],
    /// Tiles of the batch.
    total: usize,
}

impl Tiling {
    fn forward(g: &ConvGeometry) -> Tiling {
        assert!(g.is_winograd(), "not for Winograd: {g:?}");
        let output = [g.out_height(), g.out_width()];
        let tiles = output.map(|side| side.div_ceil(TILE));
        Tiling {
            direction: Direction::Forward,
            stride: g.stride,
            in_channels: g.in_channels,
            out_channels: g.out_channels,
            input: [g.height, g.width],
            output,
            in_step: g.stride,
            out_step: 1,
            padding: g.padding,
            tiles,
            total: g.batch * tiles[0] * tiles[1],
        }
    }

    fn backward(g: &ConvGeometry) -> Tiling {
        assert!(g.is_winograd(), "not for Winograd: {g:?}");
        let output = [g.height, g.width];
        let tiles = output.map(|side| side.div_ceil(g.stride * TILE));
        Tiling {
            direction: Direction::Backward,
            stride: g.stride,
            in_channels: g.out_channels,
            out_channels: g.in_channels,
            input: [g.out_height(), g.out_width()],
            output,
            in_step: 1,
            out_step: g.stride,
            padding: (2 - g.padding) / g.stride,
            tiles,
            total: g.batch * tiles[0] * tiles[1],
        }
    }

    /// Image of a tile and its first row and column, of those that are a step apart.
    #[inline(always)]
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let [down, across] = self.tiles;
        let image = tile / (down * across);
        let within = tile % (down * across);
        (image, within / across * TILE, within % across * TILE)
    }

    /// Lines of a phase of the input.
    fn in_lines(&self) -> usize {
        self.in_channels.div_ceil(LANES)
    }

    /// Lines of a phase of the output.
    fn out_lines(&self) -> usize {
        self.out_channels.div_ceil(LANES)
    }

    /// Phases of the filters.
    fn phases(&self) -> &'static [Phase] {
        Phase::of_stride(self.stride)
    }

    /// Phases that the input's tiles have.
    fn in_phases(&self) -> &'static [Phase] {
        match self.direction {
            Direction::Forward => Phase::of_stride(self.stride),
            Direction::Backward => Phase::full(self.stride),
        }
    }

    /// Phases that the output's tiles have.
    fn out_phases(&self) -> &'static [Phase] {
        match self.direction {
            Direction::Forward => Phase::full(self.stride),
            Direction::Backward => Phase::of_stride(self.stride),
        }
    }

    fn points(&self) -> usize {
        points(self.stride)
    }

    /// The phases of input and of output at a point.
    fn phases_at(&self, point: usize) -> [Range<usize>; 2] {
        let some = phases_at(self.stride, point);
        match self.direction {
            Direction::Forward => [some, 0..1],
            Direction::Backward => [0..1, some],
        }
    }

    /// Whether both sides have few channels: the transformed filters (2.7 MB at most)
    /// then stay in cache.
    fn is_narrow(&self) -> bool {
        let channels = padded(self.in_channels) * padded(self.out_channels);
        products(self.stride) * channels <= 81 * 64 * 128
    }
}

/// A plane of `tiles` tiles of `lines`·16 channels, and the line that sets planes apart.
fn plane_len(lines: usize, tiles: usize) -> usize {
    lines * tiles * LANES + LANES
}

/// `y = x ⋆ w`: `x` `[N][H][W][I]`, `w` `O×I×3×3`, `y` `[N][H'][W'][O]`, channels of
/// both images padded. With `moments`, also the statistics of `y`.
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

/// Scratch of [`forward`].
pub fn forward_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    Convolution::new(Tiling::forward(g), true).scratch_len(threads)
}

/// `∂C/∂x` from `dy = ∂C/∂y`, `dx[i] = Σ dy[(i + p − t)/s]·w[t]`; added to what
/// `dx` holds where `accumulate` says so. Shapes as in [`forward`].
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

/// Scratch of [`input_gradient`].
pub fn input_gradient_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    Convolution::new(Tiling::backward(g), false).scratch_len(threads)
}
