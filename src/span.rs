//! Spans: ranges of bytes in source texts.

use serde::Serialize;

/// A range of bytes in one of the texts of [`crate::diag::Sources`].
///
/// Text 0 is the `.van` file; the others are values that came from the command
/// line, so that a mistake in `--policy 'variabel'` is underlined there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Span {
    /// Index of the text in [`crate::diag::Sources`].
    pub source: u16,
    /// First byte.
    pub start: u32,
    /// Offset of the byte after the last.
    pub end: u32,
}

impl Span {
    /// Makes the span of bytes `start..end` of text `source`.
    pub fn new(source: u16, start: usize, end: usize) -> Self {
        Span {
            source,
            start: start as u32,
            end: end as u32,
        }
    }

    /// Smallest span that covers both spans, which are in the same text.
    pub fn cover(self, other: Span) -> Span {
        Span {
            source: self.source,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Byte range of the span in its text.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether the span covers no byte.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A value with the span it was written at.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub node: T,
    /// Span it was written at.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Makes a value `node` that was written at `span`.
    pub fn new(node: T, span: Span) -> Self {
        Spanned { node, span }
    }
}
