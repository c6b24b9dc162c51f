//! The table at the end of a run.

use crate::paint::Paint;
use crate::text::{decimal, duration, percent, quote, sparkline};
use crate::train::metrics::{Line, SkipLine, Split};
use crate::train::run_progress::RunProgress;
use std::path::Path;

/// Points of a curve.
const CURVE: usize = 32;

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
    /// Writes the table, line by line.
    pub fn lines(&self, paint: Paint) -> Vec<String> {
        let speed = self.progress.step as f64 / self.progress.step_seconds;
        let mut out = vec![
            String::new(),
            format!(
                "  {} in {}: {} steps, {speed:.1} a second",
                paint.good("done"),
                duration(self.progress.seconds),
                self.progress.step,
            ),
            String::new(),
        ];
        let mut fact = |name: &str, text: String| {
            // α is one column wide, and two bytes.
            out.push(format!("  {}{text}", paint.dim(&format!("{name:<15}"))));
        };
        let dir = quote(&self.dir.display().to_string());
        if let Some(tested) = &self.progress.tested {
            let best = self.progress.best.map(|best| {
                format!(
                    "  best {} in epoch {}",
                    percent(best.sums.accuracy()),
                    best.epoch
                )
            });
            fact(
                "test accuracy",
                format!(
                    "{:<18}{:<32}{}",
                    percent(tested.sums.accuracy()),
                    best.unwrap_or_default(),
                    paint.accent(&self.curve(None, |line| Some(line.accuracy))),
                ),
            );
            fact(
                "test loss",
                format!(
                    "{:<50}{}",
                    decimal(tested.sums.mean_loss()),
                    paint.accent(&self.curve(None, |line| Some(line.loss))),
                ),
            );
        }
        let last = self.history.last().and_then(|line| line.alpha_residual);
        if let Some((first, last)) = self.progress.first_residual.zip(last) {
            fact(
                "α residual",
                format!(
                    "{:<50}{}",
                    format!("{} → {}", decimal(first), decimal(last)),
                    paint.accent(&self.curve(Some(first), |line| line.alpha_residual)),
                ),
            );
        }
        for (i, row) in self.skips(paint).into_iter().enumerate() {
            fact(if i == 0 { "skips" } else { "" }, row);
        }
        fact(
            "checkpoints",
            format!("{dir}/checkpoints/{{last,best}}.safetensors"),
        );
        fact("evaluate", paint.bold(&format!("vanc eval {dir}")));
        out
    }

    /// Draws a value of the test lines over the run, after the one at its `start`.
    fn curve(&self, start: Option<f64>, value: impl Fn(&Line) -> Option<f64>) -> String {
        let tests = self.history.iter().filter(|line| line.split == Split::Test);
        curve(start.into_iter().chain(tests.filter_map(value)).collect())
    }

    /// Draws the curves of (1−α)² of single skips, evenly chosen where there are many.
    fn skips(&self, paint: Paint) -> Vec<String> {
        let ends = self.history.iter().filter_map(|line| line.skips.as_ref());
        let ends: Vec<&Vec<SkipLine>> = ends.collect();
        let count = ends.last().map_or(0, |skips| skips.len());
        let shown = count.min(SKIPS);
        let chosen = (0..shown).map(|i| i * (count - 1) / (shown - 1).max(1));
        chosen
            .filter_map(|i| {
                let last = ends.last()?.get(i)?;
                let residuals = ends
                    .iter()
                    .filter_map(|skips| Some(skips.get(i)?.alpha_residual));
                let start = self.progress.first_residual;
                let curve = curve(start.into_iter().chain(residuals).collect());
                let alpha = format!("mean α {}", decimal(last.alpha_mean));
                Some(format!(
                    "{:<34}{alpha:<16}{}",
                    last.path,
                    paint.accent(&curve)
                ))
            })
            .collect()
    }
}

/// Draws the values as bars over 0, nothing for a single one.
fn curve(values: Vec<f64>) -> String {
    match values.len() {
        0 | 1 => String::new(),
        _ => sparkline(&values, CURVE),
    }
}
