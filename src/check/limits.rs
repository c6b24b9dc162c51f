//! Limits of a network, so that a short file cannot eat a machine.

/// Layers of an expanded network at most.
pub const MAX_LAYERS: usize = 100_000;
/// Turns of repeats and calls of blocks at most.
pub const MAX_STEPS: usize = 2 * MAX_LAYERS;
/// Skips, concats, repeats and block calls inside one another at most.
pub const MAX_DEPTH: usize = 128;
/// Bytes of a layer's path at most.
pub const MAX_PATH: usize = 1024;
/// Elements of one tensor at most, for one sample.
pub const MAX_ELEMENTS: u128 = 1 << 31;
