//! The figures of a sweep.

use super::chart::palette::{BLACK, Look};
use super::chart::{Axis, Chart, Line, Point, Span};
use super::figure::{self, Figure, PERCENT, by_epoch, slug};
use super::spread::Spread;
use super::sweep::Run;
use super::view::{self, Along, Cell, Facet, View};
use crate::sweep::results::Record;
use crate::train::history::Epoch;

/// Largest number of figures of single cells; a page of more would be unreadable.
const CELLS: usize = 60;

/// Figures below one heading.
#[derive(Clone, Debug)]
pub struct Group {
    /// Heading of the group.
    pub title: String,
    /// Explanation of the figures in a sentence or two.
    pub text: String,
    /// Figures of the group.
    pub figures: Vec<Figure>,
}

/// Makes the groups of all figures that have data to show.
pub fn groups(view: &View) -> Vec<Group> {
    let mut groups = vec![
        against_depth(view),
        errors(view),
        curves(view),
        fading(view),
        traces(view),
    ];
    for group in &mut groups {
        let figures = std::mem::take(&mut group.figures);
        let (mut drawn, more): (Vec<_>, Vec<_>) = figures
            .into_iter()
            .filter(|figure| !figure.chart.is_empty())
            .enumerate()
            .partition(|(i, _)| *i < CELLS);
        if !more.is_empty() {
            group.text.push_str(&format!(
                " {} more are left out here; <code>vanc report</code> of a run's folder draws \
                 its own.",
                more.len()
            ));
        }
        group.figures = drawn.drain(..).map(|(_, figure)| figure).collect();
    }
    groups.retain(|group| !group.figures.is_empty());
    groups
}

/// Draws the figure of the final accuracy along the numeric axis, with a line for each policy.
fn against_depth(view: &View) -> Group {
    let mut figures = Vec::new();
    for facet in &view.facets {
        let Some(along) = view
            .along
            .as_ref()
            .filter(|along| along.positions.len() > 1)
        else {
            break;
        };
        let mut add = |what: &str, value: fn(&Record) -> Option<f64>| {
            let chart = accuracy(view, along, facet, what, value);
            figures.push(titled(chart, facet, String::new()));
        };
        add("Test accuracy", |row| row.test_accuracy);
        add("Training accuracy", |row| row.train_accuracy);
    }
    let label = view
        .along
        .as_ref()
        .map_or("depth", |along| along.label.as_str());
    Group {
        title: format!("Accuracy against {label}"),
        text: format!("Accuracy at the end of training. {}", spread_text(view)),
        figures,
    }
}

fn accuracy(
    view: &View,
    along: &Along,
    facet: &Facet,
    what: &str,
    value: fn(&Record) -> Option<f64>,
) -> Chart {
    let line = |index: usize| Line {
        name: view.name(index),
        look: look(view, facet, index),
        right: false,
        points: facet
            .cells
            .iter()
            .filter(|cell| cell.series == index)
            .filter_map(|cell| {
                let spread = spread(cell, value)?;
                Some(Point {
                    x: along.positions[cell.along],
                    y: spread.mean,
                    band: spread.band(PERCENT),
                })
            })
            .collect(),
    };
    Chart {
        title: format!("{what} by {}", along.label),
        x: Axis {
            ticks: along.positions.clone(),
            ..Axis::new(along.label.clone(), Span::Tight)
        },
        left: Axis::new(
            format!("{} / %", what.to_lowercase()),
            Span::Within(PERCENT),
        ),
        right: None,
        lines: (0..view.series.len()).map(line).collect(),
    }
}

/// Computes the spread of a quantity over a cell's runs, in percent.
pub fn spread(cell: &Cell, value: fn(&Record) -> Option<f64>) -> Option<Spread> {
    Spread::from_values(
        cell.runs
            .iter()
            .filter_map(|run| value(&run.row))
            .map(|share| 100.0 * share),
    )
}

/// Draws the figures of test and training error by epoch: one for each depth, with a line for
/// each policy.
fn errors(view: &View) -> Group {
    let mut figures = Vec::new();
    for facet in &view.facets {
        for along in 0..view.columns().len() {
            let mut add = |what: &str, value: fn(&Epoch) -> Option<f64>| {
                let chart = error_chart(view, facet, along, what, value);
                figures.push(titled(chart, facet, view.label_along(along)));
            };
            add("Test error", |epoch| epoch.test.map(|score| score.error()));
            add("Training error", |epoch| {
                epoch.train.map(|score| score.error())
            });
        }
    }
    // With one line a figure, the curves below say more.
    figures.retain(|figure: &Figure| figure.chart.lines.len() > 1);
    Group {
        title: "Error by epoch".into(),
        text: format!(
            "The training error is that of the images as they are trained on, augmented, over \
             the epoch. {}",
            spread_text(view)
        ),
        figures,
    }
}

fn error_chart(
    view: &View,
    facet: &Facet,
    along: usize,
    what: &str,
    value: fn(&Epoch) -> Option<f64>,
) -> Chart {
    let cells = facet.cells.iter().filter(|cell| cell.along == along);
    let lines = cells.map(|cell| Line {
        name: view.name(cell.series),
        look: look(view, facet, cell.series),
        right: false,
        points: by_epoch(histories(cell), PERCENT, value),
    });
    Chart {
        title: format!("{what} by epoch"),
        x: figure::epoch_axis(),
        left: figure::error_axis(),
        right: None,
        lines: lines.filter(|line| !line.points.is_empty()).collect(),
    }
}

/// Draws the figures of both errors with the α residual, one for each cell.
fn curves(view: &View) -> Group {
    let mut figures = Vec::new();
    let single = view.series.len() == 1;
    for facet in &view.facets {
        for cell in facet.cells.iter().filter(|cell| single || fades(cell)) {
            let name = view.name(cell.series);
            let look = look(view, facet, cell.series);
            let chart = figure::curves(&name, &look, histories(cell));
            figures.push(titled(chart, facet, view.label_along(cell.along)));
        }
    }
    let fading = figures.iter().any(|figure| figure.chart.right.is_some());
    let (title, text) = match fading {
        true => (
            "Training and test error with the α residual",
            "The α residual is the mean of (1 − α)² over all skips: 1 while the skips are whole, \
             0 when they are gone. ",
        ),
        false => ("Training and test error", ""),
    };
    Group {
        title: title.into(),
        text: format!("{text}{}", spread_text(view)),
        figures,
    }
}

/// Draws the figures of the α residual by epoch: one for each depth with a line for each policy,
/// and one for each policy with a line for each depth.
fn fading(view: &View) -> Group {
    let mut figures = Vec::new();
    let count = view.columns().len();
    for facet in &view.facets {
        for along in 0..count {
            let cells = facet.cells.iter().filter(|cell| cell.along == along);
            let lines = residuals(cells, |cell| {
                (view.name(cell.series), look(view, facet, cell.series))
            });
            figures.extend(fading_figure(
                String::new(),
                lines,
                facet,
                view.label_along(along),
            ));
        }
        for series in 0..view.series.len() {
            let cells = facet.cells.iter().filter(|cell| cell.series == series);
            let lines = residuals(cells, |cell| {
                (
                    view.label_along(cell.along),
                    Look::ranked(cell.along, count),
                )
            });
            figures.extend(fading_figure(
                view.name(series),
                lines,
                facet,
                String::new(),
            ));
        }
    }
    Group {
        title: "When the skips fade".into(),
        text: format!("The α residual while training. {}", spread_text(view)),
        figures,
    }
}

/// Draws the lines of the α residuals of cells that have one; `style` gives each its name and
/// look.
fn residuals<'a>(
    cells: impl Iterator<Item = &'a Cell<'a>>,
    style: impl Fn(&Cell) -> (String, Look),
) -> Vec<Line> {
    let line = |cell: &'a Cell| {
        let (name, look) = style(cell);
        Line {
            name,
            look,
            right: false,
            points: figure::residual(histories(cell)),
        }
    };
    cells.filter(|cell| fades(cell)).map(line).collect()
}

/// Draws a figure of several α residuals; `name` is common to all. None for fewer than two lines.
fn fading_figure(name: String, lines: Vec<Line>, facet: &Facet, depth: String) -> Option<Figure> {
    let title = match name.is_empty() {
        true => "α residual by epoch".to_string(),
        false => format!("{name}: α residual by epoch"),
    };
    let chart = Chart {
        title,
        x: figure::epoch_axis(),
        left: figure::residual_axis(),
        right: None,
        lines,
    };
    (chart.lines.len() > 1).then(|| titled(chart, facet, depth))
}

/// Draws the figures of α and λ by epoch, one for each cell.
fn traces(view: &View) -> Group {
    let mut figures = Vec::new();
    for facet in &view.facets {
        for cell in facet.cells.iter().filter(|cell| fades(cell)) {
            let line = |name: &str, look: Look, right, points| Line {
                name: name.into(),
                look,
                right,
                points,
            };
            let alpha = figure::trace_by_step(histories(cell), |fade| fade.alpha);
            let lambda = figure::trace_by_step(histories(cell), |fade| fade.lambda);
            let name = view.name(cell.series);
            let shown: &[&str] = if lambda.is_empty() {
                &["α"]
            } else {
                &["α", "λ"]
            };
            let mut chart = Chart {
                title: figure::title(&name, shown),
                x: figure::epoch_axis(),
                left: Axis::new("α", Span::Fixed([0.0, 1.0])),
                right: (!lambda.is_empty()).then(|| Axis::new("λ", Span::Within(figure::ANY))),
                lines: vec![
                    line("α", Look::new("#0072B2"), false, alpha),
                    line(
                        "λ (right)",
                        Look::new("#D55E00").dashed(figure::TRAINING),
                        true,
                        lambda,
                    ),
                ],
            };
            chart.lines.retain(|line| !line.points.is_empty());
            figures.push(titled(chart, facet, view.label_along(cell.along)));
        }
    }
    Group {
        title: "α and λ".into(),
        text: "Mean over all elements of all skips, with a band from the least to the greatest \
               element; both averaged over the runs."
            .into(),
        figures,
    }
}

fn fades(cell: &Cell) -> bool {
    cell.runs
        .iter()
        .any(|run| run.history.iter().any(|epoch| epoch.residual.is_some()))
}

fn histories<'a>(cell: &'a Cell) -> impl Iterator<Item = &'a [Epoch]> + Clone {
    cell.runs.iter().map(|run| run.history.as_slice())
}

/// Returns the look of a line: that of its policy, even if the policy is not varied.
fn look(view: &View, facet: &Facet, series: usize) -> Look {
    let name = &view.series[series];
    if !name.is_empty() {
        return Look::named(name, series);
    }
    let first: Option<&&Run> = facet.cells.iter().flat_map(|cell| &cell.runs).next();
    let policy = first.and_then(|run| view::policy(run.config.as_ref()?));
    policy.map_or(Look::new(BLACK), |policy| Look::named(&policy, 0))
}

/// Makes the figure of `chart`, with depth and facet added to its title and file name.
fn titled(mut chart: Chart, facet: &Facet, depth: String) -> Figure {
    for part in [depth, facet.name.clone()] {
        if !part.is_empty() {
            chart.title = format!("{}, {part}", chart.title);
        }
    }
    Figure {
        name: slug(&chart.title),
        chart,
    }
}

/// Writes the explanation of lines and bands.
fn spread_text(view: &View) -> String {
    let cells = view.facets.iter().flat_map(|facet| &facet.cells);
    let counts = cells.map(|cell| cell.runs.len()).filter(|&n| n > 0);
    let (least, most) = counts.fold((usize::MAX, 0), |(least, most), n| {
        (least.min(n), most.max(n))
    });
    match (least, most) {
        (_, 0 | 1) => "Each line is one run.".into(),
        (least, most) if least == most => format!(
            "Lines are means of {most} runs that differ in their seed, bands one standard \
             deviation to both sides."
        ),
        (least, most) => format!(
            "Lines are means of {least} to {most} runs that differ in their seed, bands one \
             standard deviation to both sides."
        ),
    }
}
