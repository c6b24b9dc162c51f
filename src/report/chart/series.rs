//! What a chart shows.

use super::palette::Look;

/// A figure: lines over one horizontal and one or two vertical axes.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows, as a sentence case title.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis on the left.
    pub left: Axis,
    /// That on the right, if lines use it.
    pub right: Option<Axis>,
    /// What is drawn, the last in front.
    pub lines: Vec<Line>,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The quantity and its unit.
    pub label: String,
    /// What it spans.
    pub span: Span,
    /// Where its ticks are; at round numbers if this is empty.
    pub ticks: Vec<f64>,
}

/// The numbers that an axis spans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// Those of its lines, and no more.
    Tight,
    /// Those of its lines and round numbers at both ends, but none past these.
    Within([f64; 2]),
    /// These.
    Fixed([f64; 2]),
}

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// What the legend calls it; a line without a name is not in it.
    pub name: String,
    /// How it looks.
    pub look: Look,
    /// Whether it belongs to the right axis.
    pub right: bool,
    /// Its points, from left to right.
    pub points: Vec<Point>,
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Where it is. One that is not finite breaks the line.
    pub x: f64,
    /// How high it is.
    pub y: f64,
    /// The ends of the band around it.
    pub band: Option<[f64; 2]>,
}

impl Axis {
    /// An axis with ticks at round numbers.
    pub fn new(label: impl Into<String>, span: Span) -> Self {
        Axis {
            label: label.into(),
            span,
            ticks: Vec::new(),
        }
    }
}

impl Point {
    pub(super) fn is_finite(&self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}
