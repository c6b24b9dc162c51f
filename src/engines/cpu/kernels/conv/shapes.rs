//! Shapes that the passes of a convolution share.

use super::super::weights::WeightShape;
use super::super::{ConvGeometry, LANES};

/// Channels up to which an input is packed without padding.
const FEW_CHANNELS: usize = 8;

/// Layout of the dimension K: the taps and input channels that are summed over.
#[derive(Clone, Copy)]
pub(super) struct Depth {
    /// Whether K runs over channels, then taps, without padding.
    pub(super) compact: bool,
    /// Lines of sixteen: of input channels, or of K itself if `compact`.
    pub(super) lines: usize,
    /// Taps that each line is repeated for; 1 if `compact`.
    pub(super) taps: usize,
}

impl Depth {
    pub(super) fn new(g: &ConvGeometry) -> Depth {
        if g.in_channels <= FEW_CHANNELS && g.taps() > 1 {
            Depth {
                compact: true,
                lines: (g.in_channels * g.taps()).div_ceil(LANES),
                taps: 1,
            }
        } else {
            Depth {
                compact: false,
                lines: g.in_channels.div_ceil(LANES),
                taps: g.taps(),
            }
        }
    }

    /// Length of K, rounded up to lines.
    pub(super) fn len(&self) -> usize {
        self.taps * self.lines * LANES
    }

    /// Sizes of the weight, as a matrix of inputs with taps.
    pub(super) fn weight_shape(&self, g: &ConvGeometry) -> WeightShape {
        let (in_channels, taps) = if self.compact {
            (g.in_channels * g.taps(), 1)
        } else {
            (g.in_channels, g.taps())
        };
        WeightShape {
            out_channels: g.out_channels,
            in_channels,
            taps,
        }
    }
}

/// Number of rows in a part, for patches of length `depth`: a multiple of what the product
/// takes at once, such that the patches fill half a second-level cache and there are enough
/// parts for many threads.
pub(super) fn rows_of_part(rows: usize, depth: usize) -> usize {
    const STRIP: usize = 14;
    const CACHED: usize = 128 * 1024;
    let cached = (CACHED / depth.max(1) / STRIP).clamp(1, 16);
    let spread = rows.div_ceil(16 * STRIP).max(1);
    STRIP * cached.min(spread)
}

pub(super) fn check(g: &ConvGeometry, x: usize, w: usize, y: usize) {
    assert!(g.taps() > 0 && g.stride > 0, "no such convolution: {g:?}");
    assert!(x >= g.input_len() && w >= g.weight_len() && y >= g.output_len());
}
