//! Convolution weights between PyTorch's layout and blocks of 16×16 channels.
//!
//! A block is `[16 inputs][taps][16 outputs]`, zero past the last channel.

use super::LANES;
use super::simd::Simd;

/// Sizes of a weight `O×I×taps`.
#[derive(Clone, Copy)]
pub struct WeightShape {
    pub out_channels: usize,
    pub in_channels: usize,
    pub taps: usize,
}

impl WeightShape {
    /// Length of a block in floats.
    pub fn block_len(&self) -> usize {
        LANES * LANES * self.taps
    }

    /// Number of outputs and inputs in the block at output line `o` and input line `i`.
    fn extent(&self, o: usize, i: usize) -> (usize, usize) {
        (
            (self.out_channels - o * LANES).min(LANES),
            (self.in_channels - i * LANES).min(LANES),
        )
    }

    fn start(&self, o: usize, i: usize) -> usize {
        (o * LANES * self.in_channels + i * LANES) * self.taps
    }
}

/// Reads the block at output line `o` and input line `i`.
///
/// # Safety
/// `weight` has the shape, `block` a block's length, and S is present.
#[inline(always)]
pub unsafe fn read_block<S: Simd>(
    weight: *const f32,
    shape: WeightShape,
    (o, i): (usize, usize),
    block: *mut f32,
) {
    let (outputs, inputs) = shape.extent(o, i);
    let stride = shape.in_channels * shape.taps;
    // SAFETY: rows of the weight inside its extent, and the block.
    unsafe {
        let from = weight.add(shape.start(o, i));
        if (outputs, inputs) == (LANES, LANES) {
            for part in 0..shape.taps {
                let to = block.add(part * LANES * LANES);
                S::transpose(from.add(part * LANES), stride, to, LANES);
            }
            return;
        }
        std::ptr::write_bytes(block, 0, shape.block_len());
        for k in 0..inputs * shape.taps {
            for row in 0..outputs {
                *block.add(k * LANES + row) = *from.add(row * stride + k);
            }
        }
    }
}

/// Writes a block back, the inverse of [`read_block`].
///
/// # Safety
/// As for [`read_block`], and no other thread touches this block of `weight`.
#[inline(always)]
pub unsafe fn write_block<S: Simd>(
    weight: *mut f32,
    shape: WeightShape,
    (o, i): (usize, usize),
    block: *const f32,
) {
    let (outputs, inputs) = shape.extent(o, i);
    let stride = shape.in_channels * shape.taps;
    // SAFETY: rows of the weight inside its extent, and the block.
    unsafe {
        let to = weight.add(shape.start(o, i));
        if (outputs, inputs) == (LANES, LANES) {
            for part in 0..shape.taps {
                let from = block.add(part * LANES * LANES);
                S::transpose(from, LANES, to.add(part * LANES), stride);
            }
            return;
        }
        for row in 0..outputs {
            for k in 0..inputs * shape.taps {
                *to.add(row * stride + k) = *block.add(k * LANES + row);
            }
        }
    }
}

/// Transposes a block to `[taps][16 outputs][16 inputs]`.
///
/// # Safety
/// Both have a block's length, and S is present.
#[inline(always)]
pub unsafe fn swap_channels<S: Simd>(block: *const f32, taps: usize, to: *mut f32) {
    for tap in 0..taps {
        // SAFETY: within both blocks.
        unsafe {
            let from = block.add(tap * LANES);
            S::transpose(from, taps * LANES, to.add(tap * LANES * LANES), LANES);
        }
    }
}
