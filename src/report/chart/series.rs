//! The lines, points and axes of a chart.

use super::palette::Look;

/// A figure: lines over one horizontal and one or two vertical axes.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Title in sentence case, which says what the figure shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis on the left.
    pub left: Axis,
    /// The vertical axis on the right, if lines use it.
    pub right: Option<Axis>,
    /// Lines that are drawn, the last in front.
    pub lines: Vec<Line>,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The quantity and its unit.
    pub label: String,
    /// Numbers that the axis spans.
    pub span: Span,
    /// Numbers with a tick; round ones if this is empty.
    pub ticks: Vec<f64>,
    /// Kind of the numbers.
    pub kind: Kind,
}

/// Kind of the numbers of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any numbers.
    Real,
    /// Counts: only whole numbers have a tick.
    Whole,
    /// Sizes: where they span more than a decade, the axis is logarithmic. Zeros are at its lower
    /// end, which is labelled so.
    Size,
}

/// The numbers that an axis spans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// The numbers of its lines, and no more.
    Tight,
    /// The numbers of its lines and round numbers at both ends, but none past these.
    Within([f64; 2]),
    /// The numbers from the first to the second.
    Fixed([f64; 2]),
}

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name in the legend; a line without a name is not in it.
    pub name: String,
    /// Colour, marker and dashes.
    pub look: Look,
    /// Whether it belongs to the right axis.
    pub right: bool,
    /// Points from left to right.
    pub points: Vec<Point>,
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Place along the horizontal axis. A point that is not finite breaks the line.
    pub x: f64,
    /// Height along the vertical axis.
    pub y: f64,
    /// The ends of the band around it.
    pub band: Option<[f64; 2]>,
}

impl Axis {
    /// Makes an axis with ticks at round numbers.
    pub fn new(label: impl Into<String>, span: Span) -> Self {
        Axis {
            label: label.into(),
            span,
            ticks: Vec::new(),
            kind: Kind::Real,
        }
    }

    /// Tells the kind of the numbers.
    pub fn of(self, kind: Kind) -> Self {
        Axis { kind, ..self }
    }
}

impl Point {
    pub(super) fn is_finite(&self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}
