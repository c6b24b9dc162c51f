//! Layout of a chart: the place of everything in it.

use super::palette::{BLACK, Look, Marker};
use super::scale::{self, Scale};
use super::series::{Axis, Chart, Kind, Line, Point, Span};
use super::shape::{Anchor, Paint, Pen, Picture, Shape, Step};

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
/// Colour of the lines across.
const GRID: &str = "#DDDDDD";
/// Colour of axes.
const AXIS: &str = "#444444";

/// The axes with their places.
struct Frame {
    x: Placed,
    left: Placed,
    right: Option<Placed>,
}

/// An axis with the scale and the ticks it got.
struct Placed {
    scale: Scale,
    /// The quantity, its unit, and the scale if it is not straight.
    label: String,
    /// Ticks, each as its place along the axis in pixels and the text there.
    ticks: Vec<(f64, String)>,
}

/// Lays out `chart`.
pub(super) fn picture(chart: &Chart) -> Picture {
    let title = wrap(&chart.title, WIDTH - MARGIN, TITLE);
    let top = title.len() as f64 * (TITLE + 4.0) + LETTER + 18.0;
    let frame = frame(chart, top);
    let bottom = top + PLOT;
    let rows = legend_rows(&chart.lines);
    let mut shapes = Vec::new();
    for (i, line) in title.iter().enumerate() {
        let y = TITLE + 2.0 + i as f64 * (TITLE + 4.0);
        shapes.push(text([4.0, y], Anchor::Start, TITLE, line));
    }
    draw_axes(&mut shapes, &frame, bottom);
    let vertical = |line: &Line| match (&frame.right, line.right) {
        (Some(right), true) => right.scale,
        (Some(_) | None, _) => frame.left.scale,
    };
    // No line is behind a band.
    for line in &chart.lines {
        shapes.extend(band(line, frame.x.scale, vertical(line)));
    }
    for line in &chart.lines {
        draw_line(&mut shapes, line, frame.x.scale, vertical(line));
    }
    draw_legend(&mut shapes, &rows, bottom + 48.0);
    Picture {
        title: chart.title.clone(),
        width: WIDTH,
        height: bottom + 48.0 + rows.iter().map(|row| row_height(row)).sum::<f64>(),
        shapes,
    }
}

/// Gives the axes their places, under `top`.
fn frame(chart: &Chart, top: f64) -> Frame {
    let of_side = |right: bool| {
        let lines = chart.lines.iter().filter(move |line| line.right == right);
        lines
            .flat_map(|line| &line.points)
            .filter(|p| p.is_finite())
    };
    let heights = |right, size| {
        of_side(right).flat_map(move |point| {
            let [low, high] = point.band.unwrap_or([point.y; 2]);
            // The lower end of a band may be as near to 0 as can be, far below its line.
            let low = if size { point.y } else { low };
            [point.y, low, high]
        })
    };
    let vertical = [top + PLOT, top];
    let size = |axis: &Axis| axis.kind == Kind::Size;
    let left = heights(false, size(&chart.left));
    let left = place(&chart.left, left, vertical, 5);
    let right = chart
        .right
        .as_ref()
        .map(|axis| place(axis, heights(true, size(axis)), vertical, 5));
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

fn place(
    axis: &Axis,
    values: impl Iterator<Item = f64> + Clone,
    range: [f64; 2],
    count: usize,
) -> Placed {
    if let (Kind::Size, Some(domain)) = (axis.kind, scale::decades(values.clone())) {
        let scale = Scale {
            domain,
            range,
            log: true,
        };
        let zero = scale::has_zeros(values);
        let ticks = scale::log_ticks(domain, zero).into_iter();
        return Placed {
            scale,
            label: format!("{}, log scale", axis.label),
            ticks: ticks
                .map(|(tick, text)| (scale.pixel(tick), text))
                .collect(),
        };
    }
    let [low, high] = match axis.span {
        Span::Fixed(span) => span,
        Span::Tight | Span::Within(_) => scale::extent(values).unwrap_or([0.0, 1.0]),
    };
    // Past these, differences are no numbers.
    let data = scale::widened([low.clamp(-1e100, 1e100), high.clamp(-1e100, 1e100)]);
    let step = match axis.kind {
        Kind::Whole => scale::step(data, count).max(1.0),
        Kind::Real | Kind::Size => scale::step(data, count),
    };
    let domain = match axis.span {
        Span::Fixed(_) | Span::Tight => data,
        Span::Within([least, most]) => {
            let [low, high] = scale::rounded(data, step);
            let inner = [low.max(least.min(data[0])), high.min(most.max(data[1]))];
            scale::widened(inner)
        }
    };
    let scale = Scale {
        domain,
        range,
        log: false,
    };
    let labelled = |ticks: Vec<f64>, step: f64| {
        let label = |tick| (scale.pixel(tick), scale::label(tick, step));
        ticks.into_iter().map(label).collect::<Vec<_>>()
    };
    let own = labelled(axis.ticks.clone(), own_step(&axis.ticks));
    let fits = own.windows(2).all(|pair| {
        let wide = (width(&pair[0].1, LETTER) + width(&pair[1].1, LETTER)) / 2.0 + 4.0;
        (pair[1].0 - pair[0].0).abs() >= wide
    });
    let ticks = match own.is_empty() || !fits {
        true => labelled(scale::ticks(domain, step), step),
        false => own,
    };
    Placed {
        scale,
        label: axis.label.clone(),
        ticks,
    }
}

/// Finds the step whose decimals show all of `ticks`.
fn own_step(ticks: &[f64]) -> f64 {
    let decimals = |tick: &f64| {
        let text = format!("{tick}");
        text.split_once('.')
            .map_or(0, |(_, rest)| rest.len().min(6))
    };
    let most = ticks.iter().map(decimals).max().unwrap_or(0);
    10f64.powi(-(most as i32))
}

fn draw_axes(shapes: &mut Vec<Shape>, frame: &Frame, bottom: f64) {
    let [start, end] = frame.x.scale.range;
    let (start, end) = (start - 6.0, end + 6.0);
    let top = bottom - PLOT;
    for &(y, ref label) in &frame.left.ticks {
        shapes.push(Shape::Rule {
            class: "grid",
            from: [start, y],
            to: [end, y],
            color: GRID,
        });
        shapes.push(text([start - 6.0, y + 4.0], Anchor::End, LETTER, label));
    }
    for &(y, ref label) in frame.right.iter().flat_map(|axis| &axis.ticks) {
        shapes.push(tick([end, y], [end + 4.0, y]));
        shapes.push(text([end + 6.0, y + 4.0], Anchor::Start, LETTER, label));
    }
    for &(x, ref label) in &frame.x.ticks {
        shapes.push(tick([x, bottom], [x, bottom + 4.0]));
        shapes.push(text([x, bottom + 17.0], Anchor::Middle, LETTER, label));
    }
    let mut steps = vec![
        Step::Move([start, top]),
        Step::Vertical(bottom),
        Step::Horizontal(end),
    ];
    steps.extend(frame.right.as_ref().map(|_| Step::Vertical(top)));
    shapes.push(Shape::Path {
        class: "axis",
        steps,
        paint: Paint::Frame(AXIS),
    });
    let above = top - 10.0;
    let left = &frame.left.label;
    shapes.push(text([4.0, above], Anchor::Start, LETTER, left));
    if let Some(axis) = &frame.right {
        shapes.push(text([WIDTH - 4.0, above], Anchor::End, LETTER, &axis.label));
    }
    let below = [(start + end) / 2.0, bottom + 34.0];
    shapes.push(text(below, Anchor::Middle, LETTER, &frame.x.label));
}

fn tick(from: [f64; 2], to: [f64; 2]) -> Shape {
    Shape::Rule {
        class: "axis",
        from,
        to,
        color: AXIS,
    }
}

/// Draws the area between the ends of the bands of `line`, if they differ.
fn band(line: &Line, x: Scale, y: Scale) -> Option<Shape> {
    let color = &line.look.color;
    let banded: Vec<(f64, [f64; 2])> = thinned(&line.points)
        .iter()
        .filter(|point| point.is_finite())
        .filter_map(|point| Some((point.x, point.band?)))
        .collect();
    if !banded.iter().any(|(_, [low, high])| low < high) {
        return None;
    }
    let lower = banded.iter().map(|(at, [low, _])| (*at, *low));
    let upper = banded.iter().rev().map(|(at, [_, high])| (*at, *high));
    let corners = lower
        .chain(upper)
        .map(|(across, height)| [x.pixel(across), y.pixel(inside(height, y))]);
    Some(Shape::Path {
        class: class(color),
        steps: polygon(corners),
        paint: Paint::Veil(color.clone()),
    })
}

fn draw_line(shapes: &mut Vec<Shape>, line: &Line, x: Scale, y: Scale) {
    let points = thinned(&line.points);
    let color = &line.look.color;
    let mut steps = Vec::new();
    let mut is_broken = true;
    for point in &points {
        if point.is_finite() {
            let place = [x.pixel(point.x), y.pixel(inside(point.y, y))];
            steps.push(match is_broken {
                true => Step::Move(place),
                false => Step::Line(place),
            });
        }
        is_broken = !point.is_finite();
    }
    if !steps.is_empty() {
        shapes.push(Shape::Path {
            class: class(color),
            steps,
            paint: Paint::Curve(pen(&line.look)),
        });
    }
    let seen: Vec<&Point> = points.iter().filter(|point| point.is_finite()).collect();
    // A single point is no line to see.
    let shown = line
        .look
        .marker
        .or((seen.len() == 1).then_some(Marker::Circle));
    if let Some(shown) = shown {
        for i in spread(seen.len()) {
            let center = [x.pixel(seen[i].x), y.pixel(inside(seen[i].y, y))];
            shapes.push(marker(shown, color, center));
        }
    }
}

fn pen(look: &Look) -> Pen {
    Pen {
        color: look.color.clone(),
        width: look.width,
        dash: look.dash,
    }
}

/// Chooses the points, of `count`, that get a marker: their indices.
fn spread(count: usize) -> Vec<usize> {
    match count {
        0 => Vec::new(),
        _ if count <= MARKERS + 3 => (0..count).collect(),
        _ => (0..MARKERS)
            .map(|i| i * (count - 1) / (MARKERS - 1))
            .collect(),
    }
}

/// Thins the points to about [`POINTS`] at most, and keeps the last.
fn thinned(points: &[Point]) -> Vec<Point> {
    let stride = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points
        .iter()
        .enumerate()
        .filter(|(i, _)| i % stride == 0 || *i == last);
    kept.map(|(_, point)| *point).collect()
}

/// Returns the nearest number that the axis spans.
fn inside(value: f64, scale: Scale) -> f64 {
    let [low, high] = scale.domain;
    value.clamp(low, high)
}

fn marker(marker: Marker, color: &str, [x, y]: [f64; 2]) -> Shape {
    let class = class(color);
    let filled = |corners: &[[f64; 2]]| Shape::Path {
        class,
        steps: polygon(corners.iter().map(|[dx, dy]| [x + dx, y + dy])),
        paint: Paint::Fill(color.to_string()),
    };
    match marker {
        Marker::Circle => Shape::Dot {
            class,
            center: [x, y],
            radius: 3.0,
            color: color.to_string(),
        },
        Marker::Square => filled(&[[-2.8, -2.8], [2.8, -2.8], [2.8, 2.8], [-2.8, 2.8]]),
        Marker::Up => filled(&[[0.0, -3.9], [3.6, 2.7], [-3.6, 2.7]]),
        Marker::Down => filled(&[[0.0, 3.9], [3.6, -2.7], [-3.6, -2.7]]),
        Marker::Diamond => filled(&[[0.0, -4.2], [4.2, 0.0], [0.0, 4.2], [-4.2, 0.0]]),
        Marker::Plus => Shape::Path {
            class,
            steps: vec![
                Step::Move([x - 4.0, y]),
                Step::Right(8.0),
                Step::Move([x, y - 4.0]),
                Step::Down(8.0),
            ],
            paint: Paint::Stroke(Pen {
                color: color.to_string(),
                width: 2.2,
                dash: "",
            }),
        },
    }
}

/// Makes the closed path through `corners`.
fn polygon(corners: impl Iterator<Item = [f64; 2]>) -> Vec<Step> {
    let mut steps: Vec<Step> = corners.map(Step::Line).collect();
    if let Some(Step::Line(corner)) = steps.first().copied() {
        steps[0] = Step::Move(corner);
    }
    steps.push(Step::Close);
    steps
}

/// Returns the class in SVG of a colour that a dark page may replace.
fn class(color: &str) -> &'static str {
    if color == BLACK { "ink" } else { "" }
}

fn text(origin: [f64; 2], anchor: Anchor, size: f64, text: &str) -> Shape {
    Shape::Text {
        origin,
        anchor,
        size,
        text: text.to_string(),
    }
}

/// A line of the chart in the legend.
struct Entry<'a> {
    line: &'a Line,
    /// Name of the line, in lines of text that fit the picture.
    name: Vec<String>,
}

impl Entry<'_> {
    fn width(&self) -> f64 {
        let widths = self.name.iter().map(|name| width(name, LETTER));
        SAMPLE + 6.0 + widths.fold(0.0, f64::max) + 14.0
    }
}

/// Arranges the named lines in rows that fit the width.
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

fn draw_legend(shapes: &mut Vec<Shape>, rows: &[Vec<Entry>], top: f64) {
    let mut y = top + 4.0;
    for row in rows {
        let mut x = 8.0;
        for entry in row {
            let look = &entry.line.look;
            shapes.push(Shape::Path {
                class: class(&look.color),
                steps: vec![Step::Move([x, y]), Step::Right(SAMPLE)],
                paint: Paint::Stroke(pen(look)),
            });
            let middle = [x + SAMPLE / 2.0, y];
            shapes.extend(look.marker.map(|shown| marker(shown, &look.color, middle)));
            for (i, name) in entry.name.iter().enumerate() {
                let below = y + 4.0 + i as f64 * (LETTER + 3.0);
                let origin = [x + SAMPLE + 6.0, below];
                shapes.push(text(origin, Anchor::Start, LETTER, name));
            }
            x += entry.width();
        }
        y += row_height(row);
    }
}

/// Estimates how wide `text` is; fonts differ, so a little more.
fn width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.56
}

/// Wraps `text` into lines that fit `room`.
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
