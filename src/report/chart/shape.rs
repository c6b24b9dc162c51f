//! Shapes that a chart is made of, before they are written as SVG or painted as pixels.
//! Lengths are those of the picture: x to the right, y down.

/// A chart laid out.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Title for readers who cannot see it.
    pub title: String,
    pub width: f64,
    pub height: f64,
    /// Shapes over white, the last in front.
    pub shapes: Vec<Shape>,
}

/// Thing that is drawn.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A straight line, one unit wide.
    Rule {
        /// Class in SVG, for pages with a dark background.
        class: &'static str,
        from: [f64; 2],
        to: [f64; 2],
        color: &'static str,
    },
    /// Lines or an area.
    Path {
        /// Class in SVG, see [`Shape::Rule`]; empty for none.
        class: &'static str,
        steps: Vec<Step>,
        paint: Paint,
    },
    /// A circle.
    Dot {
        class: &'static str,
        center: [f64; 2],
        radius: f64,
        color: String,
    },
    /// A line of letters.
    Text {
        /// Place of the baseline, at the end of the text that `anchor` names.
        origin: [f64; 2],
        anchor: Anchor,
        /// Height of the font.
        size: f64,
        text: String,
    },
}

/// A movement of the pen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Movement to a point, drawing nothing.
    Move([f64; 2]),
    /// Straight line to a point.
    Line([f64; 2]),
    /// Horizontal line to an x.
    Horizontal(f64),
    /// Vertical line to a y.
    Vertical(f64),
    /// Horizontal line of a length to the right.
    Right(f64),
    /// Vertical line of a length down.
    Down(f64),
    /// Back to where it began.
    Close,
}

/// Paint that makes the steps of a path visible.
#[derive(Clone, Debug)]
pub enum Paint {
    /// The area within.
    Fill(String),
    /// The area within, so that what is behind shows.
    Veil(String),
    /// A line one unit wide.
    Frame(&'static str),
    /// A line with round corners.
    Curve(Pen),
    /// A line.
    Stroke(Pen),
}

/// Colour, width and dashes of a line, as in SVG.
#[derive(Clone, Debug)]
pub struct Pen {
    pub color: String,
    pub width: f64,
    /// `stroke-dasharray`, empty for a line without gaps.
    pub dash: &'static str,
}

/// The end of a text that is at its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Colour of letters.
pub const TEXT: &str = "#222222";
/// Opacity of [`Paint::Veil`].
pub const VEIL: f32 = 0.16;
