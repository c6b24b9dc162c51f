//! The ten shapes of the synthetic dataset.

/// A shape to draw; its index in [`SHAPES`] is the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Disc,
    Ring,
    Square,
    Frame,
    Triangle,
    Cross,
    Plus,
    HorizontalBars,
    VerticalBars,
    Checker,
}

/// Shapes with their class names, in the order of the classes.
pub(super) const SHAPES: [(Shape, &str); 10] = [
    (Shape::Disc, "disc"),
    (Shape::Ring, "ring"),
    (Shape::Square, "square"),
    (Shape::Frame, "frame"),
    (Shape::Triangle, "triangle"),
    (Shape::Cross, "cross"),
    (Shape::Plus, "plus"),
    (Shape::HorizontalBars, "horizontal bars"),
    (Shape::VerticalBars, "vertical bars"),
    (Shape::Checker, "checker"),
];

impl Shape {
    /// Whether the shape of size 1 around the origin covers the point (`x` to the right,
    /// `y` down). All shapes lie within |x|, |y| ≤ 1 and cover similar areas.
    pub fn covers(self, x: f32, y: f32) -> bool {
        let (x_size, y_size) = (x.abs(), y.abs());
        let (larger, smaller) = (x_size.max(y_size), x_size.min(y_size));
        let square = x * x + y * y;
        match self {
            Shape::Disc => square <= 0.85,
            Shape::Ring => (0.3..=1.0).contains(&square),
            Shape::Square => larger <= 0.8,
            Shape::Frame => (0.5..=0.9).contains(&larger),
            Shape::Triangle => y <= 0.7 && 1.9 * x_size <= y + 1.0,
            Shape::Cross => larger <= 0.85 && larger - smaller <= 0.36,
            Shape::Plus => larger <= 0.95 && smaller <= 0.26,
            Shape::HorizontalBars => larger <= 0.9 && odd_strip(y, 5.0),
            Shape::VerticalBars => larger <= 0.9 && odd_strip(x, 5.0),
            Shape::Checker => larger <= 0.9 && odd_strip(x, 4.0) == odd_strip(y, 4.0),
        }
    }
}

/// Whether `position` is in the first, third, … of the `strips` that −0.9..0.9 is cut into.
fn odd_strip(position: f32, strips: f32) -> bool {
    let strip = ((position + 0.9) / 1.8 * strips) as u32;
    strip.is_multiple_of(2)
}
