//! Line charts as SVG and PNG.
//!
//! A chart is laid out once, as shapes, and these are written as SVG or painted as PNG.
//! Every colour is an attribute of SVG, so that a file stands alone; the classes beside
//! them let a page with a dark background replace the dark ones.

mod draw;
mod escape;
mod font;
pub mod palette;
mod png;
mod scale;
mod series;
mod shape;
mod svg;

use crate::error::Result;
pub use escape::escape;
pub use series::{Axis, Chart, Kind, Line, Point, Span};

impl Chart {
    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        !self
            .lines
            .iter()
            .flat_map(|line| &line.points)
            .any(Point::is_finite)
    }

    /// Writes the figure as an SVG document.
    pub fn svg(&self) -> String {
        svg::svg(&draw::picture(self))
    }

    /// Draws the figure as a PNG file, `zoom` pixels for each unit of the SVG.
    ///
    /// # Errors
    ///
    /// Where so many pixels are more than memory holds.
    pub fn png(&self, zoom: f32) -> Result<Vec<u8>> {
        png::png(&draw::picture(self), zoom)
    }
}

#[cfg(test)]
mod tests {
    use super::palette::Look;
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

    /// Checks that, whatever the numbers, an SVG reader takes the file, without a NaN in it.
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
                    chart.png(1.0).expect("a picture");
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
        assert_eq!(escape("a\u{0}b\n'"), "a\\u{0}b\n&#39;");
    }

    /// Checks that the picture has text in it: the font that the program carries is found.
    #[test]
    fn pictures_show_text_without_fonts_of_the_system() {
        let dark = |text: &str| {
            let picture = shape::Picture {
                title: String::new(),
                width: 200.0,
                height: 40.0,
                shapes: vec![shape::Shape::Text {
                    origin: [5.0, 30.0],
                    anchor: shape::Anchor::Start,
                    size: 24.0,
                    text: text.into(),
                }],
            };
            let bytes = png::png(&picture, 1.0).expect("a picture");
            let pixmap = tiny_skia::Pixmap::decode_png(&bytes).expect("PNG");
            let pixels = pixmap.pixels().iter();
            pixels.filter(|pixel| pixel.green() < 128).count()
        };
        assert_eq!(dark(""), 0);
        assert!(dark("αλ ± –1") > 100);
    }
}
