//! A picture as pixels.

use super::font::Font;
use super::shape::{Anchor, Paint, Pen, Picture, Shape, Step, TEXT, VEIL};
use crate::error::{Error, Result};
use tiny_skia::{
    Color, FillRule, LineJoin, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform,
};

/// Paints `picture`, `zoom` pixels for each of its units, as a PNG file.
///
/// # Errors
///
/// Where so many pixels are more than memory holds.
pub(super) fn png(picture: &Picture, zoom: f32) -> Result<Vec<u8>> {
    let failed = |what: String| Error::new(format!("cannot draw a figure: {what}"));
    let side = |length: f64| (length as f32 * zoom).ceil() as u32;
    let (width, height) = (side(picture.width), side(picture.height));
    let pixels = Pixmap::new(width, height)
        .ok_or_else(|| failed(format!("{width}×{height} pixels are too many")))?;
    let font = Font::carried().ok_or_else(|| failed("its font is damaged".into()))?;
    let scale = Transform::from_scale(zoom, zoom);
    let mut canvas = Canvas {
        pixels,
        scale,
        font,
    };
    canvas.pixels.fill(Color::WHITE);
    for shape in &picture.shapes {
        canvas.draw(shape);
    }
    canvas
        .pixels
        .encode_png()
        .map_err(|e| failed(e.to_string()))
}

/// Pixels under way.
struct Canvas {
    pixels: Pixmap,
    scale: Transform,
    font: &'static Font,
}

impl Canvas {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Rule {
                from, to, color, ..
            } => {
                let line = path(&[Step::Move(*from), Step::Line(*to)]);
                self.stroke(line, color, &Stroke::default());
            }
            Shape::Path { steps, paint, .. } => self.draw_path(path(steps), paint),
            Shape::Dot {
                center,
                radius,
                color,
                ..
            } => {
                let [x, y] = center.map(written);
                self.fill(PathBuilder::from_circle(x, y, *radius as f32), color, 1.0);
            }
            Shape::Text {
                origin,
                anchor,
                size,
                text,
            } => {
                let [x, y] = origin.map(written);
                let (letters, length) = self.font.text(text, *size as f32);
                let x = match anchor {
                    Anchor::Start => x,
                    Anchor::Middle => x - length / 2.0,
                    Anchor::End => x - length,
                };
                let place = Transform::from_translate(x, y);
                self.fill(letters.and_then(|path| path.transform(place)), TEXT, 1.0);
            }
        }
    }

    fn draw_path(&mut self, path: Option<Path>, paint: &Paint) {
        match paint {
            Paint::Fill(color) => self.fill(path, color, 1.0),
            Paint::Veil(color) => self.fill(path, color, VEIL),
            Paint::Frame(color) => self.stroke(path, color, &Stroke::default()),
            Paint::Curve(pen) => {
                let stroke = Stroke {
                    line_join: LineJoin::Round,
                    ..stroke(pen)
                };
                self.stroke(path, &pen.color, &stroke);
            }
            Paint::Stroke(pen) => self.stroke(path, &pen.color, &stroke(pen)),
        }
    }

    /// Fills `path`; where a shape is too small for one, there is nothing to see.
    fn fill(&mut self, path: Option<Path>, color: &str, opacity: f32) {
        if let Some(path) = path {
            let rule = FillRule::Winding;
            let paint = paint(color, opacity);
            self.pixels.fill_path(&path, &paint, rule, self.scale, None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, color: &str, stroke: &Stroke) {
        if let Some(path) = path {
            let paint = paint(color, 1.0);
            self.pixels
                .stroke_path(&path, &paint, stroke, self.scale, None);
        }
    }
}

fn path(steps: &[Step]) -> Option<Path> {
    let mut path = PathBuilder::new();
    let mut pen = [0.0; 2];
    for step in steps {
        let [x, y] = pen;
        pen = match *step {
            Step::Move(point) | Step::Line(point) => point.map(written),
            Step::Horizontal(x) => [written(x), y],
            Step::Vertical(y) => [x, written(y)],
            Step::Right(length) => [x + length as f32, y],
            Step::Down(length) => [x, y + length as f32],
            Step::Close => pen,
        };
        match step {
            Step::Move(_) => path.move_to(pen[0], pen[1]),
            Step::Close => path.close(),
            Step::Line(_)
            | Step::Horizontal(_)
            | Step::Vertical(_)
            | Step::Right(_)
            | Step::Down(_) => path.line_to(pen[0], pen[1]),
        }
    }
    path.finish()
}

/// Rounds a coordinate to the one decimal that SVG has, so that both files show the same.
fn written(coordinate: f64) -> f32 {
    // Rounded by the same rule, ties included.
    let decimal = format!("{coordinate:.1}");
    decimal.parse().unwrap_or(coordinate as f32)
}

fn stroke(pen: &Pen) -> Stroke {
    let lengths = pen.dash.split_whitespace().filter_map(|l| l.parse().ok());
    Stroke {
        width: pen.width as f32,
        dash: StrokeDash::new(lengths.collect(), 0.0),
        ..Stroke::default()
    }
}

/// Makes the paint of a colour such as `#0072B2`.
fn paint(color: &str, opacity: f32) -> tiny_skia::Paint<'static> {
    let digits = color.trim_start_matches('#');
    let [_, red, green, blue] = u32::from_str_radix(digits, 16)
        .unwrap_or_default()
        .to_be_bytes();
    let mut paint = tiny_skia::Paint::default();
    paint.set_color_rgba8(red, green, blue, (opacity * 255.0).round() as u8);
    paint
}
