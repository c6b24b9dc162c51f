//! Line charts as SVG and PNG.
//!
//! Every colour is an attribute, so that a file stands alone and [`png`] can draw it;
//! the classes beside them let a page with a dark background replace the dark ones.

mod draw;
pub mod palette;
mod png;
mod scale;

use palette::Look;

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

impl Chart {
    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        !self
            .lines
            .iter()
            .flat_map(|line| &line.points)
            .any(Point::is_finite)
    }

    /// The figure as an SVG document.
    pub fn svg(&self) -> String {
        draw::svg(self)
    }
}

impl Point {
    fn is_finite(&self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}

pub use png::png;

/// `text` so that it can stand in an element or an attribute of XML and HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML has no place for other control characters.
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<Point>) -> Chart {
        Chart {
            title: "Error & <rest> by \"epoch\"".into(),
            x: Axis::new("epoch", Span::Tight),
            left: Axis::new("error / %", Span::Within([0.0, 100.0])),
            right: None,
            lines: vec![Line {
                name: "plain".into(),
                look: Look::named("plain", 0),
                right: false,
                points,
            }],
        }
    }

    fn point(x: f64, y: f64) -> Point {
        Point {
            x,
            y,
            band: Some([y - 1.0, y + 1.0]),
        }
    }

    /// Whatever the numbers, the file is one that an SVG reader takes, without a NaN in it.
    #[test]
    fn awkward_numbers_give_a_sound_picture() {
        let numbers = [
            0.0,
            -0.0,
            1.0,
            1e-300,
            1e300,
            -5.0,
            f64::NAN,
            f64::INFINITY,
            0.1 + 0.2,
        ];
        for &a in &numbers {
            for &b in &numbers {
                let chart = chart(vec![point(1.0, a), point(b, 2.0), point(a, b)]);
                let svg = chart.svg();
                assert!(
                    !svg.contains("NaN") && !svg.contains("inf"),
                    "{a} {b}: {svg}"
                );
                if !chart.is_empty() {
                    png(&svg, 1.0).expect("a picture");
                }
            }
        }
        assert!(chart(vec![]).is_empty());
        assert!(!chart(vec![]).svg().is_empty());
    }

    #[test]
    fn text_is_escaped() {
        let svg = chart(vec![point(1.0, 2.0)]).svg();
        assert!(svg.contains("Error &amp; &lt;rest&gt; by &quot;epoch&quot;"));
        assert_eq!(escape("a\u{0}b\n'"), "a\u{FFFD}b\n&#39;");
    }

    /// The picture has text in it: the font that the program carries is found.
    #[test]
    fn pictures_show_text_without_fonts_of_the_system() {
        let dark = |svg: &str| {
            let bytes = png(svg, 1.0).expect("a picture");
            let image = image::load_from_memory(&bytes).expect("PNG").to_luma8();
            image.pixels().filter(|pixel| pixel.0[0] < 128).count()
        };
        let svg = |text: &str| {
            format!(
                r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 40"><rect width="200" height="40" fill="#fff"/><text x="5" y="30" font-size="24" font-family="Helvetica, sans-serif">{text}</text></svg>"##
            )
        };
        assert_eq!(dark(&svg("")), 0);
        assert!(dark(&svg("αλ ± –1")) > 100);
    }
}
