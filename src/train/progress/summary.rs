//! The table at the end of a run.

use crate::paint::{Paint, Tone};
use crate::table::{self, Cell, Column, Table};
use crate::text::{
    counted, cut_middle, decimal, duration, four_decimals, percent, quote, sparkline,
};
use crate::train::metrics::{Line, SkipLine, Split};
use crate::train::run_progress::RunProgress;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// Points of a curve.
const CURVE: usize = 32;

/// Points of a curve on a narrow terminal.
const LEAST: usize = 8;

/// Columns that the path of a skip may take.
const PATH: usize = 24;

/// Skips that get a curve of their own.
const SKIPS: usize = 8;

/// A finished run.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// Progress at the end of the run.
    pub progress: &'a RunProgress,
    /// Lines of the log at the ends of epochs and of the run.
    pub history: &'a [Line],
    /// Folder of the run.
    pub dir: &'a Path,
}

impl Summary<'_> {
    /// Writes the table, line by line, for a terminal of `room` columns.
    pub fn lines(&self, paint: Paint, room: Option<usize>) -> Vec<String> {
        let speed = self.progress.step as f64 / self.progress.step_seconds;
        let mut out = vec![
            String::new(),
            format!(
                "  {} in {}: {}, {speed:.1} a second",
                paint.good("done"),
                duration(self.progress.seconds),
                counted(self.progress.step, "step"),
            ),
            String::new(),
        ];
        out.extend(self.table(room).text(paint, room).lines().map(String::from));
        let dir = quote(&self.dir.display().to_string());
        let places = [
            ("checkpoints", format!("last and best in {dir}/checkpoints")),
            ("evaluate", paint.bold(&format!("vanc eval {dir}"))),
        ];
        // One column under the other, as wide as the names of the table.
        let places = places.map(|(name, place)| (format!("{name:<13}"), place));
        let places = table::facts(places, 2, paint, room);
        out.extend(places.lines().map(String::from));
        out
    }

    /// Makes the table of the results: name, number, and the curve over the run as wide as there
    /// is room for.
    fn table(&self, room: Option<usize>) -> Table {
        let mut rows: Vec<(&str, String, Vec<f64>)> = Vec::new();
        if let Some(tested) = &self.progress.tested {
            let curve = self.curve(None, |line| Some(line.accuracy));
            rows.push(("test accuracy", percent(tested.sums.accuracy()), curve));
            rows.extend(self.progress.best.map(|best| {
                let accuracy = percent(best.sums.accuracy());
                let best = format!("{accuracy} in epoch {}", best.epoch);
                ("best", best, Vec::new())
            }));
            let curve = self.curve(None, |line| Some(line.loss));
            rows.push(("test loss", decimal(tested.sums.mean_loss()), curve));
        }
        let last = self.history.last().and_then(|line| line.alpha_residual);
        if let Some((first, last)) = self.progress.first_residual.zip(last) {
            let text = format!("{} → {}", four_decimals(first), four_decimals(last));
            let curve = self.curve(Some(first), |line| line.alpha_residual);
            rows.push(("α residual", text, curve));
        }
        for (i, (text, curve)) in self.skips(room).into_iter().enumerate() {
            rows.push((if i == 0 { "skips" } else { "" }, text, curve));
        }
        let name = rows.iter().map(|(name, ..)| name.width()).max();
        let text = rows.iter().map(|(_, text, _)| text.width()).max();
        // As the table would be with curves of no width.
        let used = 2 + name.unwrap_or(0) + 2 + text.unwrap_or(0) + 2;
        let width = room.map_or(CURVE, |room| room.saturating_sub(used).clamp(LEAST, CURVE));
        let mut table = Table::new(vec![
            Column::words(""),
            Column::words("").at_least(LEAST),
            Column::words(""),
        ]);
        table.indent = 2;
        for (name, text, curve) in rows {
            table.row([
                Cell::new(format!("{name:<13}"), Tone::Dim),
                Cell::from(text),
                Cell::new(drawn(&curve, width), Tone::Accent),
            ]);
        }
        table
    }

    /// Lists a value of the test lines over the run, after the one at its `start`.
    fn curve(&self, start: Option<f64>, value: impl Fn(&Line) -> Option<f64>) -> Vec<f64> {
        let tests = self.history.iter().filter(|line| line.split == Split::Test);
        start.into_iter().chain(tests.filter_map(value)).collect()
    }

    /// Lists mean α and the values of (1−α)² of single skips, evenly chosen where there are many.
    fn skips(&self, room: Option<usize>) -> Vec<(String, Vec<f64>)> {
        // Beside the names, mean α and the shortest curve.
        let most = room.map_or(PATH, |room| room.saturating_sub(41).clamp(LEAST, PATH));
        let ends = self.history.iter().filter_map(|line| line.skips.as_ref());
        let ends: Vec<&Vec<SkipLine>> = ends.collect();
        let count = ends.last().map_or(0, |skips| skips.len());
        let shown = count.min(SKIPS);
        let paths = ends.last().into_iter().flat_map(|skips| skips.iter());
        let widest = paths
            .map(|skip| skip.path.width())
            .max()
            .unwrap_or(0)
            .min(most);
        let chosen = (0..shown).map(|i| i * (count - 1) / (shown - 1).max(1));
        chosen
            .filter_map(|i| {
                let last = ends.last()?.get(i)?;
                let residuals = ends
                    .iter()
                    .filter_map(|skips| Some(skips.get(i)?.alpha_residual));
                let start = self.progress.first_residual;
                let curve = start.into_iter().chain(residuals).collect();
                let alpha = four_decimals(last.alpha_mean);
                let path = cut_middle(&last.path, most);
                let gap = " ".repeat(widest.saturating_sub(path.width()));
                Some((format!("{path}{gap} mean α {alpha}"), curve))
            })
            .collect()
    }
}

/// Draws the values as bars over 0, nothing for a single one.
fn drawn(values: &[f64], width: usize) -> String {
    match values.len() {
        0 | 1 => String::new(),
        _ => sparkline(values, width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::run_progress::{Sums, Tested};

    fn lines(epochs: u64) -> Vec<Line> {
        let line = |epoch: u64| {
            let skip = |i: usize| SkipLine {
                path: format!("stage{i}.{epoch}.a_block_with_a_long_name.skip0"),
                alpha_mean: 0.9,
                alpha_residual: 1.0 / (epoch + i as u64) as f64,
                lambda_mean: -1.0,
                alpha_range: None,
                lambda_range: None,
            };
            Line {
                split: Split::Test,
                step: epoch * 10,
                epoch,
                loss: 1.0 / epoch as f64,
                accuracy: 1.0 - 0.5 / epoch as f64,
                rate: 0.1,
                alpha_residual: Some(1e-5 / epoch as f64),
                lambda_mean: None,
                seconds: 2.0 * epoch as f64,
                epoch_loss: None,
                epoch_accuracy: None,
                skips: Some((1..=2).map(skip).collect()),
            }
        };
        (1..=epochs).map(line).collect()
    }

    fn text(epochs: u64, room: Option<usize>) -> String {
        let tested = Tested {
            step: epochs * 10,
            epoch: epochs,
            sums: Sums {
                loss: 12.0,
                correct: 987,
                images: 1000,
            },
        };
        let progress = RunProgress {
            step: epochs * 10,
            tested: Some(tested),
            best: Some(tested),
            first_residual: Some(1.0),
            seconds: 80.0,
            step_seconds: 72.0,
            ..RunProgress::default()
        };
        let summary = Summary {
            progress: &progress,
            history: &lines(epochs),
            dir: Path::new("runs/net"),
        };
        summary.lines(Paint(false), room).join("\n")
    }

    #[test]
    fn the_end_of_a_run_fits_the_terminal() {
        insta::assert_snapshot!("summary_pipe", text(40, None));
        insta::assert_snapshot!("summary_80", text(40, Some(80)));
        insta::assert_snapshot!("summary_60", text(40, Some(60)));
        for epochs in [1, 2, 100] {
            for room in [60, 61, 79, 80, 100, 120] {
                for line in text(epochs, Some(room)).lines() {
                    assert!(line.width() <= room, "{room}: {line}");
                }
            }
            for room in [0, 1, 5, 20] {
                text(epochs, Some(room));
            }
        }
    }
}
