//! The kernels that are the same for every network.

use super::held::Held;
use super::images;
use super::map::Windows;
use super::products::Conv;
use super::source::Source;
use super::update::Running;

macro_rules! source {
    ($name:literal, $layouts:expr) => {
        Source {
            name: $name,
            printed: String::new(),
            text: include_str!(concat!("kernels/", $name, ".cu")),
            layouts: &$layouts,
        }
    };
}

/// Kernels that are the same for every network.
pub const SOURCES: &[Source] = &[
    source!("convolve", [Conv::LAYOUT]),
    source!("dirac", []),
    source!("dropout", []),
    source!("images", [images::CHANGE_LAYOUT]),
    source!("loss", []),
    source!("pooling", [Windows::LAYOUT]),
    source!("reshape", []),
    source!("statistics", []),
    source!("update", [Running::LAYOUT, Held::LAYOUT]),
];
