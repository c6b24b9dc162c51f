//! Where everything of a chart goes.

use super::palette::{BLACK, Marker};
use super::scale::{self, Scale};
use super::{Axis, Chart, Line, Point, Span, escape};
use std::fmt::Write;

/// Width of the picture. Narrow, so that letters stay readable on a phone.
const WIDTH: f64 = 400.0;
/// Height of what the axes enclose.
const PLOT: f64 = 220.0;
/// Room right of axes without one on the right.
const MARGIN: f64 = 14.0;
/// Size of letters.
const LETTER: f64 = 12.0;
/// Size of the title's.
const TITLE: f64 = 14.0;
/// Height of a row of the legend.
const ROW: f64 = 19.0;
/// Length of a line's sample in the legend.
const SAMPLE: f64 = 26.0;
/// Markers along a line with many points.
const MARKERS: usize = 9;
/// Points of a line past which some are left out.
const POINTS: usize = 800;

/// The axes with their places.
struct Frame {
    x: Placed,
    left: Placed,
    right: Option<Placed>,
}

/// An axis with the scale and the ticks it got.
struct Placed {
    scale: Scale,
    /// Where, and what is written there.
    ticks: Vec<(f64, String)>,
}

pub(super) fn svg(chart: &Chart) -> String {
    let title = wrap(&chart.title, WIDTH - MARGIN, TITLE);
    let top = title.len() as f64 * (TITLE + 4.0) + LETTER + 18.0;
    let frame = frame(chart, top);
    let bottom = top + PLOT;
    let rows = legend_rows(&chart.lines);
    let height = bottom + 48.0 + rows.iter().map(|row| row_height(row)).sum::<f64>();
    let mut out = String::new();
    let _ = write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="Noto Sans, Helvetica, Arial, sans-serif" role="img"><title>{}</title><rect class="paper" width="{WIDTH}" height="{height}" fill="#FFFFFF"/>"##,
        escape(&chart.title)
    );
    for (i, line) in title.iter().enumerate() {
        let y = TITLE + 2.0 + i as f64 * (TITLE + 4.0);
        text(&mut out, 4.0, y, "start", TITLE, line);
    }
    draw_axes(&mut out, chart, &frame, bottom);
    let vertical = |line: &Line| match (&frame.right, line.right) {
        (Some(right), true) => right.scale,
        (Some(_) | None, _) => frame.left.scale,
    };
    // No line is behind a band.
    for line in &chart.lines {
        draw_band(&mut out, line, frame.x.scale, vertical(line));
    }
    for line in &chart.lines {
        draw_line(&mut out, line, frame.x.scale, vertical(line));
    }
    draw_legend(&mut out, &rows, bottom + 48.0);
    out.push_str("</svg>\n");
    out
}

/// Gives the axes their places, under `top`.
fn frame(chart: &Chart, top: f64) -> Frame {
    let of_side = |right: bool| {
        let lines = chart.lines.iter().filter(move |line| line.right == right);
        lines
            .flat_map(|line| &line.points)
            .filter(|p| p.is_finite())
    };
    let heights = |right| {
        of_side(right).flat_map(|point| {
            let [low, high] = point.band.unwrap_or([point.y; 2]);
            [point.y, low, high]
        })
    };
    let vertical = [top + PLOT, top];
    let left = place(&chart.left, heights(false), vertical, 5);
    let right = chart
        .right
        .as_ref()
        .map(|axis| place(axis, heights(true), vertical, 5));
    let room = |axis: &Placed| {
        let widths = axis.ticks.iter().map(|(_, text)| width(text, LETTER));
        widths.fold(0.0, f64::max) + 12.0
    };
    let start = room(&left).max(24.0);
    let end = WIDTH - right.as_ref().map_or(MARGIN, room);
    let across = of_side(false).chain(of_side(true)).map(|point| point.x);
    // A marker at the end stays whole.
    let x = place(&chart.x, across, [start + 6.0, end - 6.0], 6);
    Frame { x, left, right }
}

fn place(axis: &Axis, values: impl Iterator<Item = f64>, range: [f64; 2], count: usize) -> Placed {
    let [low, high] = match axis.span {
        Span::Fixed(span) => span,
        Span::Tight | Span::Within(_) => scale::extent(values).unwrap_or([0.0, 1.0]),
    };
    // Past these, differences are no numbers.
    let data = scale::widened([low.clamp(-1e100, 1e100), high.clamp(-1e100, 1e100)]);
    let step = scale::step(data, count);
    let domain = match axis.span {
        Span::Fixed(_) | Span::Tight => data,
        Span::Within([least, most]) => {
            let [low, high] = scale::rounded(data, step);
            let inner = [low.max(least.min(data[0])), high.min(most.max(data[1]))];
            scale::widened(inner)
        }
    };
    let scale = Scale { domain, range };
    let at = |ticks: Vec<f64>, step: f64| {
        let of = |tick| (scale.pixel(tick), scale::label(tick, step));
        ticks.into_iter().map(of).collect::<Vec<_>>()
    };
    let own = at(axis.ticks.clone(), own_step(&axis.ticks));
    let fits = own.windows(2).all(|pair| {
        let wide = (width(&pair[0].1, LETTER) + width(&pair[1].1, LETTER)) / 2.0 + 4.0;
        (pair[1].0 - pair[0].0).abs() >= wide
    });
    let ticks = match own.is_empty() || !fits {
        true => at(scale::ticks(domain, step), step),
        false => own,
    };
    Placed { scale, ticks }
}

/// The step whose decimals show all of `ticks`.
fn own_step(ticks: &[f64]) -> f64 {
    let decimals = |tick: &f64| {
        let text = format!("{tick}");
        text.split_once('.')
            .map_or(0, |(_, rest)| rest.len().min(6))
    };
    let most = ticks.iter().map(decimals).max().unwrap_or(0);
    10f64.powi(-(most as i32))
}

fn draw_axes(out: &mut String, chart: &Chart, frame: &Frame, bottom: f64) {
    let [start, end] = frame.x.scale.range;
    let (start, end) = (start - 6.0, end + 6.0);
    let top = bottom - PLOT;
    for (y, label) in &frame.left.ticks {
        let _ = write!(
            out,
            r##"<line class="grid" x1="{start:.1}" x2="{end:.1}" y1="{y:.1}" y2="{y:.1}" stroke="#DDDDDD"/>"##
        );
        text(out, start - 6.0, y + 4.0, "end", LETTER, label);
    }
    for (y, label) in frame.right.iter().flat_map(|axis| &axis.ticks) {
        let outer = end + 4.0;
        let _ = write!(
            out,
            r##"<line class="axis" x1="{end:.1}" x2="{outer:.1}" y1="{y:.1}" y2="{y:.1}" stroke="#444444"/>"##
        );
        text(out, end + 6.0, y + 4.0, "start", LETTER, label);
    }
    for (x, label) in &frame.x.ticks {
        let outer = bottom + 4.0;
        let _ = write!(
            out,
            r##"<line class="axis" x1="{x:.1}" x2="{x:.1}" y1="{bottom:.1}" y2="{outer:.1}" stroke="#444444"/>"##
        );
        text(out, *x, bottom + 17.0, "middle", LETTER, label);
    }
    let right = match frame.right {
        Some(_) => format!("V{top:.1}"),
        None => String::new(),
    };
    let _ = write!(
        out,
        r##"<path class="axis" d="M{start:.1} {top:.1}V{bottom:.1}H{end:.1}{right}" fill="none" stroke="#444444"/>"##
    );
    text(out, 4.0, top - 10.0, "start", LETTER, &chart.left.label);
    if let Some(axis) = &chart.right {
        text(out, WIDTH - 4.0, top - 10.0, "end", LETTER, &axis.label);
    }
    let middle = (start + end) / 2.0;
    text(out, middle, bottom + 34.0, "middle", LETTER, &chart.x.label);
}

fn draw_band(out: &mut String, line: &Line, x: Scale, y: Scale) {
    let color = &line.look.color;
    let class = class(color);
    let banded: Vec<(f64, [f64; 2])> = thinned(&line.points)
        .iter()
        .filter(|point| point.is_finite())
        .filter_map(|point| Some((point.x, point.band?)))
        .collect();
    if banded.iter().any(|(_, [low, high])| low < high) {
        let lower = banded.iter().map(|(at, [low, _])| (*at, *low));
        let upper = banded.iter().rev().map(|(at, [_, high])| (*at, *high));
        let corners: Vec<String> = lower
            .chain(upper)
            .map(|(across, height)| {
                format!("{:.1} {:.1}", x.pixel(across), y.pixel(inside(height, y)))
            })
            .collect();
        let _ = write!(
            out,
            r##"<path{class} d="M{}Z" fill="{color}" fill-opacity="0.16" stroke="none"/>"##,
            corners.join("L")
        );
    }
}

fn draw_line(out: &mut String, line: &Line, x: Scale, y: Scale) {
    let points = thinned(&line.points);
    let color = &line.look.color;
    let class = class(color);
    let mut path = String::new();
    let mut pen = 'M';
    for point in &points {
        if !point.is_finite() {
            pen = 'M';
            continue;
        }
        let _ = write!(
            path,
            "{pen}{:.1} {:.1}",
            x.pixel(point.x),
            y.pixel(inside(point.y, y))
        );
        pen = 'L';
    }
    if !path.is_empty() {
        let _ = write!(
            out,
            r##"<path{class} d="{path}" fill="none" stroke="{color}" stroke-width="{}"{} stroke-linejoin="round"/>"##,
            line.look.width,
            dashes(line.look.dash)
        );
    }
    let seen: Vec<&Point> = points.iter().filter(|point| point.is_finite()).collect();
    // A single point is no line to see.
    let marker = line
        .look
        .marker
        .or((seen.len() == 1).then_some(Marker::Circle));
    if let Some(marker) = marker {
        for i in spread(seen.len()) {
            let (across, height) = (x.pixel(seen[i].x), y.pixel(inside(seen[i].y, y)));
            draw_marker(out, marker, color, across, height);
        }
    }
}

/// Which of `count` points get a marker.
fn spread(count: usize) -> Vec<usize> {
    match count {
        0 => Vec::new(),
        _ if count <= MARKERS + 3 => (0..count).collect(),
        _ => (0..MARKERS)
            .map(|i| i * (count - 1) / (MARKERS - 1))
            .collect(),
    }
}

/// At most about [`POINTS`] of the points, the last among them.
fn thinned(points: &[Point]) -> Vec<Point> {
    let stride = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points
        .iter()
        .enumerate()
        .filter(|(i, _)| i % stride == 0 || *i == last);
    kept.map(|(_, point)| *point).collect()
}

/// The nearest number that the axis spans.
fn inside(value: f64, scale: Scale) -> f64 {
    let [low, high] = scale.domain;
    value.clamp(low, high)
}

fn draw_marker(out: &mut String, marker: Marker, color: &str, x: f64, y: f64) {
    let class = class(color);
    let shape = |corners: &[(f64, f64)]| {
        let at = |(dx, dy): &(f64, f64)| format!("{:.1} {:.1}", x + dx, y + dy);
        corners.iter().map(at).collect::<Vec<_>>().join("L")
    };
    let path = match marker {
        Marker::Circle => {
            let _ = write!(
                out,
                r##"<circle{class} cx="{x:.1}" cy="{y:.1}" r="3" fill="{color}"/>"##
            );
            return;
        }
        Marker::Square => shape(&[(-2.8, -2.8), (2.8, -2.8), (2.8, 2.8), (-2.8, 2.8)]),
        Marker::Up => shape(&[(0.0, -3.9), (3.6, 2.7), (-3.6, 2.7)]),
        Marker::Down => shape(&[(0.0, 3.9), (3.6, -2.7), (-3.6, -2.7)]),
        Marker::Diamond => shape(&[(0.0, -4.2), (4.2, 0.0), (0.0, 4.2), (-4.2, 0.0)]),
        Marker::Plus => {
            let _ = write!(
                out,
                r##"<path{class} d="M{:.1} {y:.1}h8M{x:.1} {:.1}v8" stroke="{color}" stroke-width="2.2" fill="none"/>"##,
                x - 4.0,
                y - 4.0
            );
            return;
        }
    };
    let _ = write!(out, r##"<path{class} d="M{path}Z" fill="{color}"/>"##);
}

/// What a dark page may replace.
fn class(color: &str) -> &'static str {
    if color == BLACK {
        r#" class="ink""#
    } else {
        ""
    }
}

fn dashes(dash: &str) -> String {
    match dash {
        "" => String::new(),
        dash => format!(r#" stroke-dasharray="{dash}""#),
    }
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, size: f64, text: &str) {
    let _ = write!(
        out,
        r##"<text class="text" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" fill="#222222">{}</text>"##,
        escape(text)
    );
}

/// A line of the chart in the legend.
struct Entry<'a> {
    line: &'a Line,
    /// Its name, in lines that fit the picture.
    name: Vec<String>,
}

impl Entry<'_> {
    fn width(&self) -> f64 {
        let widths = self.name.iter().map(|name| width(name, LETTER));
        SAMPLE + 6.0 + widths.fold(0.0, f64::max) + 14.0
    }
}

/// The named lines in rows that fit the width.
fn legend_rows(lines: &[Line]) -> Vec<Vec<Entry<'_>>> {
    let named = lines.iter().filter(|line| !line.name.is_empty());
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    let mut used = f64::INFINITY;
    for line in named {
        let name = wrap(&line.name, WIDTH - 8.0 - SAMPLE - 20.0, LETTER);
        let entry = Entry { line, name };
        if used + entry.width() > WIDTH - 8.0 {
            rows.push(Vec::new());
            used = 0.0;
        }
        used += entry.width();
        if let Some(row) = rows.last_mut() {
            row.push(entry);
        }
    }
    rows
}

fn row_height(row: &[Entry]) -> f64 {
    let lines = row.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    ROW + lines.saturating_sub(1) as f64 * (LETTER + 3.0)
}

fn draw_legend(out: &mut String, rows: &[Vec<Entry>], top: f64) {
    let mut y = top + 4.0;
    for row in rows {
        let mut x = 8.0;
        for entry in row {
            let line = entry.line;
            let color = &line.look.color;
            let _ = write!(
                out,
                r##"<path{} d="M{x:.1} {y:.1}h{SAMPLE}" stroke="{color}" stroke-width="{}"{} fill="none"/>"##,
                class(color),
                line.look.width,
                dashes(line.look.dash)
            );
            if let Some(marker) = line.look.marker {
                draw_marker(out, marker, color, x + SAMPLE / 2.0, y);
            }
            for (i, name) in entry.name.iter().enumerate() {
                let below = y + 4.0 + i as f64 * (LETTER + 3.0);
                text(out, x + SAMPLE + 6.0, below, "start", LETTER, name);
            }
            x += entry.width();
        }
        y += row_height(row);
    }
}

/// About how wide `text` is; fonts differ, so a little more.
fn width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.56
}

/// `text` in lines that fit `room`.
fn wrap(text: &str, room: f64, size: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && width(&lines[last], size) + width(word, size) > room {
            lines.push(word.to_string());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}
