//! Shapes of one sample.

use super::call::{Arguments, Kind, Literal, Refusal, Row, Slot};
use serde::{Serialize, Serializer};
use std::fmt;

/// The shape of what flows between layers, for one sample (no batch dimension).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `channels × height × width`.
    Image {
        /// Number of channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A vector of `0` features.
    Flat(usize),
}

impl Shape {
    /// Makes an image shape.
    pub fn image(channels: usize, height: usize, width: usize) -> Self {
        Shape::Image {
            channels,
            height,
            width,
        }
    }

    /// Whether it has positions.
    pub fn is_image(self) -> bool {
        matches!(self, Shape::Image { .. })
    }

    /// Returns the channels of an image, features of a vector: the dimension that batch norm, α
    /// and `concat` work along.
    pub fn channels(self) -> usize {
        match self {
            Shape::Image { channels, .. } => channels,
            Shape::Flat(n) => n,
        }
    }

    /// Returns the height and width: rows and columns of positions, one of each for a vector.
    pub fn extent(self) -> (usize, usize) {
        match self {
            Shape::Image { height, width, .. } => (height, width),
            Shape::Flat(_) => (1, 1),
        }
    }

    /// Counts the positions each channel has: height × width, or 1 for a vector.
    pub fn positions(self) -> usize {
        let (height, width) = self.extent();
        height * width
    }

    /// Counts the elements of one sample.
    pub fn elements(self) -> usize {
        self.channels() * self.positions()
    }

    /// Replaces the number of channels.
    pub fn with_channels(self, channels: usize) -> Self {
        match self {
            Shape::Image { height, width, .. } => Shape::image(channels, height, width),
            Shape::Flat(_) => Shape::Flat(channels),
        }
    }

    /// Writes the shape in a sentence.
    pub fn described(self) -> String {
        match self {
            Shape::Image { .. } => format!("an image of {self}"),
            Shape::Flat(_) => format!("a vector of {self}"),
        }
    }

    /// Returns `[channels, height, width]` or `[features]`.
    pub fn dims(self) -> Vec<usize> {
        match self {
            Shape::Image {
                channels,
                height,
                width,
            } => vec![channels, height, width],
            Shape::Flat(n) => vec![n],
        }
    }
}

/// The shapes that `input` names.
pub const INPUTS: &[Row<Shape>] = &[Row {
    name: "image",
    doc: "channels × height × width; a vector of n is `image(n, 1, 1)`",
    slots: &[
        Slot::new("channels", Kind::SIZE, "number of channels").first(Literal::Int(3)),
        Slot::new("height", Kind::SIZE, "rows").first(Literal::Int(32)),
        Slot::new("width", Kind::SIZE, "columns").first(Literal::Int(32)),
    ],
    build: image,
}];

fn image(arguments: &Arguments) -> Result<Shape, Refusal> {
    Ok(Shape::Image {
        channels: arguments.get("channels")?,
        height: arguments.get("height")?,
        width: arguments.get("width")?,
    })
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Image {
                channels,
                height,
                width,
            } => write!(f, "{channels}×{height}×{width}"),
            Shape::Flat(n) => write!(f, "{n}"),
        }
    }
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.dims().serialize(serializer)
    }
}
