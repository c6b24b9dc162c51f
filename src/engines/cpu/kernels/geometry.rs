//! Sizes of a convolution.

use super::padded;

/// Sizes of a 2-D cross-correlation, `I×H×W → O×H'×W'`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvGeometry {
    /// N, the number of images.
    pub batch: usize,
    /// I, the number of input channels.
    pub in_channels: usize,
    /// O, the number of output channels.
    pub out_channels: usize,
    /// H, the height of the input.
    pub height: usize,
    /// W, the width of the input.
    pub width: usize,
    /// Rows and columns of the kernel, k.
    pub kernel: (usize, usize),
    /// Step s between windows.
    pub stride: usize,
    /// Zeros p added on each side.
    pub padding: usize,
}

impl ConvGeometry {
    /// Height of the output, `H' = (H + 2p − k)/s + 1`.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel.0) / self.stride + 1
    }

    /// Width of the output, `W' = (W + 2p − k)/s + 1`.
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel.1) / self.stride + 1
    }

    /// Length of the input in floats, `N·H·W·padded(I)`.
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * padded(self.in_channels)
    }

    /// Length of the output in floats, `N·H'·W'·padded(O)`.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_height() * self.out_width() * padded(self.out_channels)
    }

    /// Length of the weight in floats, `O·I·k·k`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.taps()
    }

    /// Number of positions of the kernel, k·k.
    pub fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// Number of multiplications and additions of the definition, in one direction.
    pub fn flops(&self) -> f64 {
        2.0 * self.weight_len() as f64 * (self.batch * self.out_height() * self.out_width()) as f64
    }

    /// Whether [`super::winograd`] can compute it.
    pub fn is_winograd(&self) -> bool {
        suits_winograd(self.kernel, self.stride, self.padding)
    }
}

/// Whether [`super::winograd`] computes windows of this kernel, stride and padding.
pub fn suits_winograd(kernel: (usize, usize), stride: usize, padding: usize) -> bool {
    kernel == (3, 3)
        && match stride {
            1 => padding <= 2,
            2 => padding == 1,
            _ => false,
        }
}
