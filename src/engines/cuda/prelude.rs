//! The text that every file of kernels begins with.

use super::layout::Layout;

/// Text that every file begins with.
pub const PRELUDE: &str = include_str!("kernels/prelude.cuh");

/// Structures of [`PRELUDE`].
pub const PRELUDE_LAYOUTS: [Layout; 2] = [CONTROL_LAYOUT, OUTCOME_LAYOUT];

/// Layout of the outcome of a step, as the host reads it: two words.
pub const OUTCOME_LAYOUT: Layout = Layout {
    name: "Outcome",
    size: 16,
    fields: &[("loss", 8), ("correct", 8)],
};

/// Layout of what a step is told, which kernels alone read and write.
pub const CONTROL_LAYOUT: Layout = Layout {
    name: "Control",
    size: 32,
    fields: &[],
};
