//! Figures that several pages have: curves by epoch or by step, their axes and their names.

use super::chart::palette::{BLACK, Look};
use super::chart::{Axis, Chart, Kind, Line, Point, Span};
use super::spread::Spread;
use crate::train::history::{Epoch, Fade, Trace};
use std::collections::BTreeMap;

/// A chart and the name of its files.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Name of the files, without extension.
    pub name: String,
    /// The chart.
    pub chart: Chart,
}

/// Limits of a percentage.
pub const PERCENT: [f64; 2] = [0.0, 100.0];
/// Limits of an unbounded quantity.
pub const ANY: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];
/// Dash pattern of training curves.
pub const TRAINING: &str = "6 3";
/// Dash pattern of curves on the right axis.
pub const RESIDUAL: &str = "2 3";

/// Makes the axis for epochs.
pub fn epoch_axis() -> Axis {
    Axis::new("epoch", Span::Tight).of(Kind::Whole)
}

/// Makes the axis for an error in percent.
pub fn error_axis() -> Axis {
    Axis::new("error / %", Span::Within(PERCENT))
}

/// Makes the axis for the α residual, mean (1−α)².
pub fn residual_axis() -> Axis {
    Axis::new("α residual", Span::Fixed([0.0, 1.0])).of(Kind::Size)
}

/// Lists the points of a quantity by epoch: the mean over `runs`, with a band of one standard
/// deviation within `limits`.
pub fn by_epoch<'a>(
    runs: impl IntoIterator<Item = &'a [Epoch]>,
    limits: [f64; 2],
    value: impl Fn(&Epoch) -> Option<f64>,
) -> Vec<Point> {
    let epochs = runs.into_iter().flatten();
    averaged(
        epochs.map(|epoch| (epoch.epoch, epoch.epoch as f64, value(epoch))),
        limits,
    )
}

/// Averages the items (key, position, value) that have the same key, a step or an epoch, to
/// one point at their position, with a band within `limits`.
fn averaged(all: impl Iterator<Item = (u64, f64, Option<f64>)>, limits: [f64; 2]) -> Vec<Point> {
    let mut values: BTreeMap<u64, (f64, Vec<f64>)> = BTreeMap::new();
    for (key, x, value) in all {
        let (place, values) = values.entry(key).or_default();
        *place = x;
        values.extend(value);
    }
    let point = |(x, values): (f64, Vec<f64>)| {
        let spread = Spread::from_values(values)?;
        Some(Point {
            x,
            y: spread.mean,
            band: spread.band(limits),
        })
    };
    values.into_values().filter_map(point).collect()
}

/// Lists the points of a quantity of the skips at every step that was logged; otherwise as in
/// [`by_epoch`].
pub fn by_step<'a>(
    runs: impl IntoIterator<Item = &'a [Epoch]>,
    limits: [f64; 2],
    value: impl Fn(&Fade) -> Option<f64>,
) -> Vec<Point> {
    let fades = runs.into_iter().flatten().flat_map(|epoch| &epoch.fades);
    averaged(
        fades.map(|fade| (fade.step, fade.epochs, value(fade))),
        limits,
    )
}

/// Lists the points of the α residual of `runs` at every logged step.
pub fn residual<'a>(runs: impl IntoIterator<Item = &'a [Epoch]>) -> Vec<Point> {
    by_step(runs, [0.0, 1.0], |fade| Some(fade.residual))
}

/// Lists the points of a trace at every logged step: its mean, with a band from its least to its
/// greatest element, all averaged over `runs`.
pub fn trace_by_step<'a>(
    runs: impl IntoIterator<Item = &'a [Epoch]> + Clone,
    trace: impl Fn(&Fade) -> Option<Trace>,
) -> Vec<Point> {
    let points =
        |value: &dyn Fn(Trace) -> f64| by_step(runs.clone(), ANY, |fade| trace(fade).map(value));
    let (means, lows, highs) = (
        points(&|t| t.mean),
        points(&|t| t.range[0]),
        points(&|t| t.range[1]),
    );
    let banded = means.into_iter().zip(lows).zip(highs);
    banded
        .map(|((mean, low), high)| Point {
            band: Some([low.y, high.y]),
            ..mean
        })
        .collect()
}

/// Draws the chart of training and test error, and on the right axis the α residual, of runs that
/// differ in their seed alone. `look` gives the colour; the title says which of them there are,
/// after the runs' `name`.
pub fn curves<'a>(
    name: &str,
    look: &Look,
    runs: impl IntoIterator<Item = &'a [Epoch]> + Clone,
) -> Chart {
    let line = |name: &str, look: Look, right, points| Line {
        name: name.into(),
        look,
        right,
        points,
    };
    let error = |value: &dyn Fn(&Epoch) -> Option<f64>| by_epoch(runs.clone(), PERCENT, value);
    let test = error(&|epoch| epoch.test.map(|score| score.error()));
    let train = error(&|epoch| epoch.train.map(|score| score.error()));
    let residual = residual(runs.clone());
    let bare = Look {
        marker: None,
        ..look.clone()
    };
    let mut lines = vec![
        line("training error", bare.dashed(TRAINING), false, train),
        line("test error", look.clone(), false, test),
    ];
    lines.retain(|line| !line.points.is_empty());
    let right = (!residual.is_empty()).then(residual_axis);
    let title = match lines.is_empty() {
        true => title(name, &["α residual"]),
        false => title(name, &[&of_both("error", &lines)]),
    };
    if right.is_some() {
        let look = Look::new(if look.color == BLACK {
            "#D55E00"
        } else {
            BLACK
        });
        lines.push(line(
            "α residual (right)",
            look.dashed(RESIDUAL),
            true,
            residual,
        ));
    }
    Chart {
        title,
        x: epoch_axis(),
        left: error_axis(),
        right,
        lines,
    }
}

/// Names a quantity of training and of test by those of the two that have a line: `training and
/// test error`.
pub fn of_both(quantity: &str, lines: &[Line]) -> String {
    let has = |split: &&str| {
        let name = format!("{split} {quantity}");
        lines.iter().any(|line| line.name == name)
    };
    let splits: Vec<&str> = ["training", "test"].into_iter().filter(has).collect();
    format!("{} {quantity}", splits.join(" and "))
}

/// Writes the title of a figure that shows these quantities of what is called `name`, if anything:
/// `Test error`, `variable: α and λ`.
pub fn title(name: &str, shown: &[&str]) -> String {
    let list = match shown {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => shown.concat(),
    };
    match (name, list.chars().next()) {
        ("", Some(first)) => {
            let rest = &list[first.len_utf8()..];
            // α stays α.
            match first.is_ascii() {
                true => format!("{}{rest}", first.to_ascii_uppercase()),
                false => list,
            }
        }
        (name, Some(_)) => format!("{name}: {list}"),
        (name, None) => name.into(),
    }
}

/// Turns a title into a file name of letters, digits and dashes.
pub fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.replace('α', "alpha").replace('λ', "lambda").chars() {
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
            '.' if out.ends_with(|c: char| c.is_ascii_digit()) => out.push('.'),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
    }
    out.truncate(100);
    out.trim_end_matches(['-', '.']).to_string()
}

/// Renames figures so that no two have the same name.
pub fn name_apart(figures: &mut [Figure]) {
    let mut taken = std::collections::HashSet::new();
    for figure in figures {
        let mut name = figure.name.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{}-{number}", figure.name);
            number += 1;
        }
        figure.name = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::history::Score;

    #[test]
    fn names_of_files_are_plain_and_different() {
        assert_eq!(
            slug("Test error, variable(lambda: 0), depth = 30"),
            "test-error-variable-lambda-0-depth-30"
        );
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug("rate = 0.05"), "rate-0.05");
        assert_eq!(slug("α, ±"), "alpha");
        let figure = |name: &str| Figure {
            name: name.into(),
            chart: curves("", &Look::new(BLACK), []),
        };
        let mut figures = vec![figure("a"), figure("a"), figure("a-2")];
        name_apart(&mut figures);
        let names: Vec<&str> = figures.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["a", "a-2", "a-2-2"]);
    }

    #[test]
    fn titles_say_what_is_shown() {
        let epoch = |train: bool, test: bool| {
            let score = Score {
                loss: 0.5,
                accuracy: 0.5,
            };
            Epoch {
                epoch: 1,
                train: train.then_some(score),
                test: test.then_some(score),
                ..Epoch::default()
            }
        };
        let shown = |name: &str, train, test| {
            let epochs = [epoch(train, test)];
            curves(name, &Look::new(BLACK), [epochs.as_slice()]).title
        };
        assert_eq!(shown("", true, true), "Training and test error");
        assert_eq!(shown("", false, true), "Test error");
        assert_eq!(shown("plain", true, false), "plain: training error");
        assert_eq!(title("variable", &["α", "λ"]), "variable: α and λ");
        assert_eq!(title("", &["α"]), "α");
    }

    #[test]
    fn runs_are_averaged_epoch_by_epoch() {
        let epoch = |epoch, residual| Epoch {
            epoch,
            residual: Some(residual),
            ..Epoch::default()
        };
        let runs = [vec![epoch(1, 0.5), epoch(2, 0.2)], vec![epoch(1, 0.7)]];
        let points = by_epoch(runs.iter().map(Vec::as_slice), ANY, |epoch| epoch.residual);
        assert_eq!(points.len(), 2);
        assert!((points[0].y - 0.6).abs() < 1e-12);
        assert!(points[0].band.is_some());
        assert_eq!((points[1].x, points[1].y, points[1].band), (2.0, 0.2, None));
    }
}
