//! The screen of `vanc watch`: head, progress bar, charts.

use crate::escape::Shown;
use crate::text::{cut_middle, decimal, duration, percent, short};
use crate::train::history::{self, Epoch};
use crate::train::metrics::Split;
use crate::train::snapshot::{Snapshot, State};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph, Widget};
use unicode_width::UnicodeWidthStr;

/// Columns that a chart needs.
const CHART_WIDTH: u16 = 38;
/// Rows that a chart needs.
const CHART_HEIGHT: u16 = 7;
/// Columns of the progress bar.
const BAR: usize = 24;

/// A quantity to plot by epoch.
struct Curve {
    title: &'static str,
    /// Least and greatest value that the quantity can have.
    limits: [f64; 2],
    /// Whether the axis always spans the limits, whatever the values, unless it is logarithmic.
    whole: bool,
    /// Whether the axis is logarithmic where the values span more than a decade.
    size: bool,
    training: Vec<(f64, f64)>,
    test: Vec<(f64, f64)>,
}

/// Draws the run into `area`, with `hint` as the last line.
pub fn draw(watched: &Snapshot, hint: &str, area: Rect, buffer: &mut Buffer) {
    let head = head(watched, area.width.into());
    let rows = [
        Constraint::Length(head.len() as u16),
        Constraint::Min(0),
        Constraint::Length(u16::from(!hint.is_empty())),
    ];
    let [top, middle, bottom] = Layout::vertical(rows).areas(area);
    Paragraph::new(head).render(top, buffer);
    Line::from(hint).dim().render(bottom, buffer);
    let curves = curves(&watched.history);
    if curves.is_empty() {
        let text = match watched.state {
            State::Waiting => "The run has not begun to write yet.",
            State::Training => "The curves begin with the end of the first epoch.",
            State::Finished | State::Stopped => "No epoch has ended, so there are no curves.",
        };
        Paragraph::new(["", text].join("\n")).render(middle, buffer);
        return;
    }
    for (curve, area) in curves.iter().zip(places(curves.len(), middle)) {
        draw_curve(curve, &watched.history, area, buffer);
    }
}

/// Draws the same screen as plain lines, for a pipe.
pub fn plain(watched: &Snapshot, width: u16, height: u16) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw(watched, "", buffer.area, &mut buffer);
    let row = |y: u16| {
        let cells = (0..width).filter_map(|x| buffer.cell((x, y)));
        let text: String = cells.map(|cell| cell.symbol()).collect();
        text.trim_end().to_string()
    };
    let rows: Vec<String> = (0..height).map(row).collect();
    format!("{}\n", rows.join("\n").trim_end())
}

/// Lines above the charts, of at most `room` columns: the run's name, how far it is and how good.
fn head(watched: &Snapshot, room: usize) -> Vec<Line<'static>> {
    let (state, color) = match watched.state {
        State::Waiting => ("waiting", Color::Yellow),
        State::Training => ("training", Color::Green),
        State::Finished => ("done", Color::Green),
        State::Stopped => ("stopped", Color::Red),
    };
    let mut title = Vec::new();
    let model = watched.model.as_deref().unwrap_or_default();
    let model = cut_middle(model, room / 3);
    if !model.is_empty() {
        title.push(format!("{model}  ").bold());
    }
    let left = room.saturating_sub(model.width() + state.len() + 4);
    let dir = cut_middle(&watched.dir.shown(), left);
    title.push(Span::raw(format!("{dir}  ")));
    title.push(Span::styled(state, Style::new().fg(color)));
    let mut head = vec![Line::from(title)];
    head.extend(progress(watched, room));
    if let Some(line) = &watched.last {
        let mut facts = Vec::new();
        if let Some(test) = watched.history.iter().rev().find_map(|epoch| epoch.test) {
            let best = history::best(&watched.history);
            let best = best.map(|(epoch, best)| {
                format!(" (best {} in epoch {epoch})", percent(best.accuracy))
            });
            let best = best.unwrap_or_default();
            facts.push(format!("test accuracy {}{best}", percent(test.accuracy)));
        }
        let training = match line.split {
            Split::Train => Some(line.loss),
            Split::Test => watched
                .history
                .last()
                .and_then(|epoch| Some(epoch.train?.loss)),
        };
        facts.extend(training.map(|loss| format!("training loss {}", decimal(loss))));
        facts.extend(
            line.alpha_residual
                .map(|r| format!("α residual {}", decimal(r))),
        );
        facts.push(format!("rate {}", short(line.rate)));
        head.extend(flowed(&facts, room).into_iter().map(Line::from));
    }
    if watched.damage.is_some() {
        let words = "metrics.jsonl is damaged; the curves are of its other lines";
        head.push(Line::from(cut_middle(words, room)).red());
    }
    head
}

/// Joins facts to lines of `room` columns.
fn flowed(facts: &[String], room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some(line) if line.width() + 2 + fact.width() <= room => {
                line.push_str("  ");
                line.push_str(fact);
            }
            Some(_) | None => lines.push(fact.clone()),
        }
    }
    lines
}

/// Progress lines: epoch and time, and before them a bar as wide as there is room for. None while
/// the log is empty.
fn progress(watched: &Snapshot, room: usize) -> Vec<Line<'static>> {
    let Some(line) = watched.last.as_ref() else {
        return Vec::new();
    };
    let (step, seconds) = watched.position();
    let mut spans = Vec::new();
    let total = watched
        .epochs
        .map(|epochs| format!("/{epochs}"))
        .unwrap_or_default();
    let mut time = duration(seconds);
    if let (State::Training, Some(left)) = (watched.state, watched.left()) {
        time.push_str(&format!(", about {} left", duration(left)));
    }
    let facts = [
        format!("epoch {}{total}", line.epoch),
        format!("step {step}"),
        time,
    ];
    let lines = flowed(&facts, room);
    if let Some(target) = watched.target() {
        let share = (step as f64 / target.max(1) as f64).clamp(0.0, 1.0);
        let percent = format!("{:.0} %  ", 100.0 * share);
        let text = lines.first().map_or(0, |line| line.width());
        let bar = BAR.min(room.saturating_sub(text + percent.len() + 1));
        if bar > 3 {
            let filled = (share * bar as f64).round() as usize;
            spans.push("━".repeat(filled).green());
            spans.push("─".repeat(bar - filled).dim());
            spans.push(Span::raw(format!(" {percent}")));
        }
    }
    let mut lines = lines.into_iter();
    spans.extend(lines.next().map(Span::raw));
    let first = Line::from(spans);
    [first].into_iter().chain(lines.map(Line::from)).collect()
}

/// Curves of the quantities that the log has.
fn curves(history: &[Epoch]) -> Vec<Curve> {
    let points = |value: &dyn Fn(&Epoch) -> Option<f64>| -> Vec<(f64, f64)> {
        let point = |epoch: &Epoch| Some((epoch.epoch as f64, value(epoch)?));
        let finite = |point: &(f64, f64)| point.1.is_finite();
        history.iter().filter_map(point).filter(finite).collect()
    };
    let curves = vec![
        Curve {
            title: "accuracy / %",
            limits: [0.0, 100.0],
            whole: false,
            size: false,
            training: points(&|epoch| Some(100.0 * epoch.train?.accuracy)),
            test: points(&|epoch| Some(100.0 * epoch.test?.accuracy)),
        },
        Curve {
            title: "loss",
            limits: [0.0, f64::INFINITY],
            whole: false,
            size: true,
            training: points(&|epoch| Some(epoch.train?.loss)),
            test: points(&|epoch| Some(epoch.test?.loss)),
        },
        Curve {
            title: "α residual, mean (1 − α)²",
            limits: [0.0, 1.0],
            whole: true,
            size: true,
            training: Vec::new(),
            test: points(&|epoch| epoch.residual),
        },
    ];
    let drawn = |curve: &Curve| !curve.test.is_empty() || !curve.training.is_empty();
    curves.into_iter().filter(drawn).collect()
}

/// Areas for `count` charts, side by side and below each other; as many as fit into `area`.
fn places(count: usize, area: Rect) -> Vec<Rect> {
    let across = usize::from(area.width / CHART_WIDTH).clamp(1, count);
    let down = count
        .div_ceil(across)
        .min(usize::from(area.height / CHART_HEIGHT).max(1));
    let rows = Layout::vertical(vec![Constraint::Fill(1); down]).split(area);
    let mut left = count;
    let mut places = Vec::new();
    for row in rows.iter() {
        // A row that is not full is filled by wider charts.
        let charts = left.min(across);
        left -= charts;
        let columns = Layout::horizontal(vec![Constraint::Fill(1); charts]).split(*row);
        places.extend(columns.iter().copied());
    }
    places
}

fn draw_curve(curve: &Curve, history: &[Epoch], area: Rect, buffer: &mut Buffer) {
    let last = history.last().map_or(1, |epoch| epoch.epoch).max(2);
    let first = history.first().map_or(1, |epoch| epoch.epoch).min(last - 1);
    let values = curve
        .training
        .iter()
        .chain(&curve.test)
        .map(|point| point.1);
    let decades = match curve.size {
        true => decades(values.clone()),
        false => None,
    };
    let [low, high] = match (decades, curve.whole) {
        (Some([low, high]), _) => [low.log10(), high.log10()],
        (None, true) => curve.limits,
        (None, false) => span(values.clone(), curve.limits),
    };
    let placed = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let place = |&(x, y): &(f64, f64)| match decades {
            Some([least, _]) => (x, y.max(least).log10()),
            None => (x, y),
        };
        points.iter().map(place).collect()
    };
    let (training, test) = (placed(&curve.training), placed(&curve.test));
    let mut datasets = Vec::new();
    let mut title = vec![format!(" {}", curve.title).bold()];
    if decades.is_some() {
        title.push(Span::raw(", log scale"));
    }
    if !curve.training.is_empty() {
        title.push(Span::raw("  training "));
        title.push("•".yellow());
        title.push(Span::raw("  test "));
        title.push("⠤⠒ ".cyan());
        let dots = Dataset::default()
            .marker(Marker::Dot)
            .graph_type(GraphType::Scatter)
            .style(Style::new().fg(Color::Yellow));
        datasets.push(dots.data(&training));
    } else {
        title.push(Span::raw(" "));
    }
    let lined = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Line)
        .style(Style::new().fg(Color::Cyan));
    datasets.push(lined.data(&test));
    let middle = (low + high) / 2.0;
    let labels = [low, middle, high].map(|value| match decades {
        Some(_) if value == low && has_zeros(values.clone()) => "0".into(),
        Some(_) => format!("{:.1e}", 10f64.powf(value)),
        None => tick(value, high - low),
    });
    Chart::new(datasets)
        .block(
            Block::bordered()
                .border_style(Style::new().dim())
                .title(Line::from(title)),
        )
        .x_axis(
            Axis::default()
                .bounds([first as f64, last as f64])
                .labels([format!("epoch {first}"), last.to_string()]),
        )
        .y_axis(Axis::default().bounds([low, high]).labels(labels))
        .legend_position(None)
        .render(area, buffer);
}

/// Powers of ten around the positive values if these span more than a decade. With zeros among
/// them, the lower one is below all others and stands for 0.
fn decades(values: impl Iterator<Item = f64> + Clone) -> Option<[f64; 2]> {
    let zero = has_zeros(values.clone());
    let positive = values.filter(|value| *value > 1e-100);
    let [low, high] = positive.fold([f64::INFINITY, 0.0], |[low, high], value| {
        [low.min(value), high.max(value)]
    });
    let power = |power: f64| 10f64.powf(power);
    let least = if zero { low / 2.0 } else { low };
    (high > 10.0 * low).then(|| [power(least.log10().floor()), power(high.log10().ceil())])
}

/// Whether there are values that a logarithmic axis draws at its lower end.
fn has_zeros(mut values: impl Iterator<Item = f64>) -> bool {
    values.any(|value| value <= 1e-100)
}

/// Least and greatest value, with a margin but within the limits.
fn span(values: impl Iterator<Item = f64>, [least, most]: [f64; 2]) -> [f64; 2] {
    let ends = values.fold(None, |ends: Option<[f64; 2]>, value| {
        let [low, high] = ends.unwrap_or([value; 2]);
        Some([low.min(value), high.max(value)])
    });
    let [low, high] = ends.unwrap_or([0.0, 1.0]);
    let room = ((high - low) * 0.05).max(high.abs() * 1e-3).max(1e-6);
    [
        (low - room).max(least.min(low)),
        (high + room).min(most.max(high)),
    ]
}

/// Label of a tick at `value`, on an axis whose ends are `range` apart.
fn tick(value: f64, range: f64) -> String {
    let decimals = (2.0 - range.log10()).ceil().clamp(0.0, 6.0) as usize;
    match value.abs() >= 1e6 {
        true => format!("{value:.1e}"),
        false => format!("{value:.decimals$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::history::Score;
    use crate::train::metrics;

    fn watched(state: State, epochs: u64) -> Snapshot {
        let epoch = |epoch: u64| Epoch {
            epoch,
            step: epoch * 10,
            test: Some(Score {
                loss: 1.0 / epoch as f64,
                accuracy: 1.0 - 1.0 / (epoch + 1) as f64,
            }),
            residual: Some(1.0 / epoch as f64),
            ..Epoch::default()
        };
        let last = (epochs > 0).then(|| metrics::Line {
            split: Split::Test,
            step: epochs * 10,
            epoch: epochs,
            loss: 0.5,
            accuracy: 0.75,
            rate: 0.1,
            alpha_residual: Some(0.25),
            lambda_mean: None,
            seconds: 30.0,
            epoch_loss: None,
            epoch_accuracy: None,
            skips: None,
        });
        Snapshot {
            config: None,
            dir: "runs/x".into(),
            model: Some("net".into()),
            state,
            epochs: Some(8),
            max_steps: None,
            history: (1..=epochs).map(epoch).collect(),
            last,
            damage: None,
        }
    }

    #[test]
    fn a_run_is_shown_with_its_progress() {
        let text = plain(&watched(State::Training, 4), 100, 30);
        for part in [
            "net  runs/x  training",
            "50 %  epoch 4/8  step 40  30.0 s, about 30.0 s left",
            "test accuracy 80.00 % (best 80.00 % in epoch 4)",
            "accuracy / %",
            "α residual, mean",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        let dots = |c: char| ('\u{2801}'..='\u{28FF}').contains(&c);
        assert!(text.chars().filter(|&c| dots(c)).count() > 50, "{text}");
    }

    #[test]
    fn what_has_no_curves_says_why() {
        let text = |state| plain(&watched(state, 0), 100, 30);
        assert!(text(State::Waiting).contains("has not begun"));
        assert!(text(State::Training).contains("end of the first epoch"));
        assert!(text(State::Stopped).contains("no curves"));
    }

    #[test]
    fn every_size_of_a_terminal_can_be_drawn() {
        for epochs in [0, 1, 2, 7] {
            for width in [1, 2, 7, 38, 39, 80, 300] {
                for height in [1, 2, 5, 8, 24, 100] {
                    plain(&watched(State::Training, epochs), width, height);
                }
            }
        }
    }

    /// Checks that what is above the charts is whole on a narrow terminal.
    #[test]
    fn the_head_fits_the_terminal() {
        let mut run = watched(State::Training, 7);
        run.dir = "runs/a/folder/with/a/long/name/policy=variable(lambda: 0),seed=1".into();
        insta::assert_snapshot!("watch_80", plain(&run, 80, 24));
        insta::assert_snapshot!("watch_60", plain(&run, 60, 24));
        for room in [60, 80, 120] {
            for line in head(&run, room) {
                assert!(line.width() <= room, "{room}: {line}");
            }
        }
    }

    #[test]
    fn what_spans_more_than_a_decade_is_logarithmic() {
        assert_eq!(decades([0.2, 1.9].into_iter()), None);
        assert_eq!(decades([0.0, 0.02, 1.9].into_iter()), Some([0.01, 10.0]));
        assert_eq!(decades([0.0, 0.01, 1.0].into_iter()), Some([0.001, 1.0]));
        assert_eq!(decades([].into_iter()), None);
        let mut run = watched(State::Training, 7);
        assert!(!plain(&run, 80, 30).contains("log scale"));
        for (epoch, residual) in run.history.iter_mut().zip([1.0, 0.1, 1e-3, 0.0]) {
            epoch.residual = Some(residual);
        }
        let text = plain(&run, 100, 30);
        assert!(
            text.contains("α residual, mean (1 − α)², log scale"),
            "{text}"
        );
        assert!(
            text.contains("│0  ") && text.contains("1.0e-2") && text.contains("1.0e0"),
            "{text}"
        );
    }

    /// Checks that a test before the first step, as with `--max-steps 0`, has its place.
    #[test]
    fn curves_begin_with_epoch_0_where_there_is_one() {
        let mut run = watched(State::Finished, 3);
        (run.history[0].epoch, run.history[0].step) = (0, 0);
        assert!(plain(&run, 80, 30).contains("epoch 0"));
        assert_eq!(run.target(), Some(80));
    }

    #[test]
    fn accuracy_does_not_go_past_100() {
        assert_eq!(span([90.0, 100.0].into_iter(), [0.0, 100.0])[1], 100.0);
        assert_eq!(span([0.0, 3.0].into_iter(), [0.0, f64::INFINITY])[0], 0.0);
        let [low, high] = span([5.0].into_iter(), [0.0, 100.0]);
        assert!(low < 5.0 && 5.0 < high);
    }
}
