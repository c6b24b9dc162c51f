//! A picture as an SVG document.

use super::escape::escape;
use super::shape::{Anchor, Paint, Pen, Picture, Shape, Step, TEXT, VEIL};
use std::fmt::{self, Write};

/// Writes `picture` as SVG.
pub(super) fn svg(picture: &Picture) -> String {
    let mut out = String::new();
    // A string takes all that is written to it.
    let _ = write_picture(&mut out, picture);
    out
}

fn write_picture(out: &mut String, picture: &Picture) -> fmt::Result {
    let Picture { width, height, .. } = picture;
    write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="Noto Sans, Helvetica, Arial, sans-serif" role="img"><title>{}</title><rect class="paper" width="{width}" height="{height}" fill="#FFFFFF"/>"##,
        escape(&picture.title)
    )?;
    for shape in &picture.shapes {
        write_shape(out, shape)?;
    }
    out.write_str("</svg>\n")
}

fn write_shape(out: &mut String, shape: &Shape) -> fmt::Result {
    match shape {
        Shape::Rule {
            class,
            from: [x1, y1],
            to: [x2, y2],
            color,
        } => write!(
            out,
            r##"<line class="{class}" x1="{x1:.1}" x2="{x2:.1}" y1="{y1:.1}" y2="{y2:.1}" stroke="{color}"/>"##
        ),
        Shape::Path {
            class,
            steps,
            paint,
        } => {
            write!(out, r#"<path{} d=""#, attribute("class", class))?;
            for step in steps {
                write_step(out, *step)?;
            }
            out.write_char('"')?;
            write_paint(out, paint)?;
            out.write_str("/>")
        }
        Shape::Dot {
            class,
            center: [x, y],
            radius,
            color,
        } => write!(
            out,
            r##"<circle{} cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{color}"/>"##,
            attribute("class", class)
        ),
        Shape::Text {
            origin: [x, y],
            anchor,
            size,
            text,
        } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            write!(
                out,
                r##"<text class="text" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" fill="{TEXT}">{}</text>"##,
                escape(text)
            )
        }
    }
}

fn write_step(out: &mut String, step: Step) -> fmt::Result {
    match step {
        Step::Move([x, y]) => write!(out, "M{x:.1} {y:.1}"),
        Step::Line([x, y]) => write!(out, "L{x:.1} {y:.1}"),
        Step::Horizontal(x) => write!(out, "H{x:.1}"),
        Step::Vertical(y) => write!(out, "V{y:.1}"),
        Step::Right(length) => write!(out, "h{length}"),
        Step::Down(length) => write!(out, "v{length}"),
        Step::Close => out.write_char('Z'),
    }
}

fn write_paint(out: &mut String, paint: &Paint) -> fmt::Result {
    match paint {
        Paint::Fill(color) => write!(out, r#" fill="{color}""#),
        Paint::Veil(color) => write!(
            out,
            r#" fill="{color}" fill-opacity="{VEIL}" stroke="none""#
        ),
        Paint::Frame(color) => write!(out, r#" fill="none" stroke="{color}""#),
        Paint::Curve(pen) => {
            out.write_str(r#" fill="none""#)?;
            write_pen(out, pen)?;
            out.write_str(r#" stroke-linejoin="round""#)
        }
        Paint::Stroke(pen) => {
            write_pen(out, pen)?;
            out.write_str(r#" fill="none""#)
        }
    }
}

fn write_pen(out: &mut String, Pen { color, width, dash }: &Pen) -> fmt::Result {
    let dashes = attribute("stroke-dasharray", dash);
    write!(out, r#" stroke="{color}" stroke-width="{width}"{dashes}"#)
}

/// Writes an attribute of an element, or nothing where `value` is empty.
fn attribute(name: &str, value: &str) -> String {
    match value {
        "" => String::new(),
        value => format!(r#" {name}="{value}""#),
    }
}
