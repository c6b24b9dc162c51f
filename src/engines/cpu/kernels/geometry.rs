//! Sizes of a convolution.

use super::padded;

/// A 2-D cross-correlation, `I×H×W → O×H'×W'`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Images.
    pub batch: usize,
    /// I.
    pub in_channels: usize,
    /// O.
    pub out_channels: usize,
    /// H.
    pub height: usize,
    /// W.
    pub width: usize,
    /// Rows and columns k of the kernel.
    pub kernel: (usize, usize),
    /// Step between windows.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
}

impl ConvGeometry {
    /// `H' = (H + 2p − k)/s + 1`.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel.0) / self.stride + 1
    }

    /// `W' = (W + 2p − k)/s + 1`.
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel.1) / self.stride + 1
    }

    /// Floats of the input, `N·H·W·padded(I)`.
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * padded(self.in_channels)
    }

    /// Floats of the output, `N·H'·W'·padded(O)`.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_height() * self.out_width() * padded(self.out_channels)
    }

    /// Floats of the weight, `O·I·k·k`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.taps()
    }

    /// Positions of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// Multiplications and additions of the definition, for one direction.
    pub fn flops(&self) -> f64 {
        2.0 * self.weight_len() as f64 * (self.batch * self.out_height() * self.out_width()) as f64
    }

    /// Whether [`super::winograd`] computes it.
    pub fn is_winograd(&self) -> bool {
        super::winograd::suits(self.kernel, self.stride, self.padding)
    }
}
