//! Random changes of training images.

use serde::{Deserialize, Serialize};

/// A random change of a training image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Augment {
    /// Black pixels on each side, then a crop of the original size at random.
    PadCrop(usize),
    /// A mirror image half of the time.
    FlipHorizontal,
}
