//! Tiles that a pass goes over.

use super::super::{ConvGeometry, LANES, padded};
use super::transform::{Phase, phases_at, points, products};
use std::ops::Range;

/// Side of an output tile.
pub(super) const TILE: usize = 4;

/// Direction in which a pass uses the weights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Pass from the weight's inputs to its outputs.
    Forward,
    /// Pass from the weight's outputs to its inputs, with the taps reversed.
    Backward,
}

/// Sizes of a pass over tiles, for a convolution or its transpose.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    pub(super) direction: Direction,
    /// Stride of the convolution.
    pub(super) stride: usize,
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    /// Height and width of the input.
    pub(super) input: [usize; 2],
    /// Height and width of the output.
    pub(super) output: [usize; 2],
    /// Distance between neighbouring positions of a tile, in the input.
    pub(super) in_step: usize,
    /// Distance between neighbouring positions of a tile, in the output.
    pub(super) out_step: usize,
    pub(super) padding: usize,
    /// Number of tiles in an image, down and across.
    pub(super) tiles: [usize; 2],
    /// Number of tiles in the batch.
    pub(super) total: usize,
}

impl Tiling {
    pub(super) fn forward(g: &ConvGeometry) -> Tiling {
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

    pub(super) fn backward(g: &ConvGeometry) -> Tiling {
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

    /// Position of a tile: its image, and its first row and column in steps.
    #[inline(always)]
    pub(super) fn place(&self, tile: usize) -> (usize, usize, usize) {
        let [down, across] = self.tiles;
        let image = tile / (down * across);
        let within = tile % (down * across);
        (image, within / across * TILE, within % across * TILE)
    }

    /// Lines of sixteen channels in a phase of the input.
    pub(super) fn in_lines(&self) -> usize {
        self.in_channels.div_ceil(LANES)
    }

    /// Lines of sixteen channels in a phase of the output.
    pub(super) fn out_lines(&self) -> usize {
        self.out_channels.div_ceil(LANES)
    }

    /// Phases of the filters.
    pub(super) fn phases(&self) -> &'static [Phase] {
        Phase::of_stride(self.stride)
    }

    /// Phases of the input's tiles.
    pub(super) fn in_phases(&self) -> &'static [Phase] {
        match self.direction {
            Direction::Forward => Phase::of_stride(self.stride),
            Direction::Backward => Phase::full(self.stride),
        }
    }

    /// Phases of the output's tiles.
    pub(super) fn out_phases(&self) -> &'static [Phase] {
        match self.direction {
            Direction::Forward => Phase::full(self.stride),
            Direction::Backward => Phase::of_stride(self.stride),
        }
    }

    pub(super) fn points(&self) -> usize {
        points(self.stride)
    }

    /// Ranges of the input's and the output's phases that have a value at a point.
    pub(super) fn phases_at(&self, point: usize) -> [Range<usize>; 2] {
        let phases = phases_at(self.stride, point);
        match self.direction {
            Direction::Forward => [phases, 0..1],
            Direction::Backward => [0..1, phases],
        }
    }

    /// Whether both sides have so few channels that the transformed filters (2.7 MB at most)
    /// stay in cache.
    pub(super) fn is_narrow(&self) -> bool {
        let channels = padded(self.in_channels) * padded(self.out_channels);
        products(self.stride) * channels <= 81 * 64 * 128
    }
}

/// Length in floats of a plane of `tiles` tiles of `lines`·16 channels, with the cache line
/// that separates it from the next.
pub(super) fn plane_len(lines: usize, tiles: usize) -> usize {
    lines * tiles * LANES + LANES
}
