//! A mistake that is known, as it is reported.

use std::ops::Range;

/// Place and words of a known mistake.
pub(super) struct Mistake {
    pub place: Range<usize>,
    pub message: String,
    pub label: String,
    pub help: String,
}

impl Mistake {
    pub fn new(
        place: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<Self> {
        Some(Mistake {
            place,
            message: message.into(),
            label: label.into(),
            help: help.into(),
        })
    }
}
