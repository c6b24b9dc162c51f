//! Numbers and lines as a person reads them.

use crate::train::metrics::Line;
use console::Style;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    /// Less important text.
    pub fn dim(self, text: &str) -> String {
        self.apply(Style::new().dim(), text)
    }

    /// A title, or a number to look at.
    pub fn bold(self, text: &str) -> String {
        self.apply(Style::new().bold(), text)
    }

    /// Good news.
    pub fn good(self, text: &str) -> String {
        self.apply(Style::new().green().bold(), text)
    }

    /// Bad news.
    pub fn bad(self, text: &str) -> String {
        self.apply(Style::new().red().bold(), text)
    }

    /// The fading of skips.
    pub fn accent(self, text: &str) -> String {
        self.apply(Style::new().cyan(), text)
    }

    fn apply(self, style: Style, text: &str) -> String {
        style.force_styling(self.0).apply_to(text).to_string()
    }
}

/// `6.2 s`, `1 min 12 s`, `2 h 03 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 if seconds < 59.95 => format!("{:.1} s", seconds.max(0.0)),
        0..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `97.30 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Four decimals, or two digits of a number that they would not show.
pub fn decimal(x: f64) -> String {
    if x != 0.0 && x.abs() < 0.0005 || x.abs() >= 1e6 {
        format!("{x:.1e}")
    } else {
        format!("{x:.4}")
    }
}

/// A number as short as it can be without loss past six digits: `0.1`, `0.00125`.
pub fn short(x: f64) -> String {
    if x != 0.0 && x.abs() < 1e-4 {
        return format!("{x:.2e}");
    }
    let text = format!("{x:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// One line a log line, for a pipe.
pub fn plain_line(line: &Line, epochs: u64) -> String {
    let mut out = format!(
        "epoch {}/{epochs} step {} loss {} accuracy {}",
        line.epoch,
        line.step,
        decimal(line.loss),
        percent(line.accuracy),
    );
    out.push_str(&plain_tail(line));
    out
}

/// One line an epoch, for a pipe.
pub fn plain_epoch(train: Option<&Line>, test: &Line, epochs: u64) -> String {
    let mut out = format!("epoch {}/{epochs} step {}", test.epoch, test.step);
    if let Some((loss, accuracy)) = train.and_then(|line| line.epoch_loss.zip(line.epoch_accuracy))
    {
        out.push_str(&format!(
            " loss {} accuracy {}",
            decimal(loss),
            percent(accuracy)
        ));
    }
    out.push_str(&format!(
        " test loss {} test accuracy {}",
        decimal(test.loss),
        percent(test.accuracy)
    ));
    out.push_str(&plain_tail(test));
    out
}

fn plain_tail(line: &Line) -> String {
    let residual = line
        .alpha_residual
        .map(|r| format!(" alpha residual {}", decimal(r)));
    format!(
        "{} rate {} time {}",
        residual.unwrap_or_default(),
        short(line.rate),
        duration(line.seconds)
    )
}

/// The heads of [`row`]'s columns.
pub fn head(skips: bool) -> String {
    let residual = if skips {
        format!("{:>13}", "α residual")
    } else {
        String::new()
    };
    format!(
        "  {:>9}{:>11}{:>11}{:>12}{:>11}{residual}{:>11}{:>14}",
        "epoch", "loss", "accuracy", "test loss", "test acc.", "rate", "time"
    )
}

/// One row an epoch, for a terminal.
pub fn row(train: Option<&Line>, test: &Line, epochs: u64, better: bool, paint: Paint) -> String {
    let sums = train.and_then(|line| line.epoch_loss.zip(line.epoch_accuracy));
    let (loss, accuracy) = match sums {
        Some((loss, accuracy)) => (decimal(loss), percent(accuracy)),
        None => ("–".into(), "–".into()),
    };
    let residual = test
        .alpha_residual
        .map(|r| paint.accent(&format!("{:>13}", decimal(r))));
    let accuracy_of_test = format!("{:>11}", percent(test.accuracy));
    format!(
        "  {:>9}{loss:>11}{accuracy:>11}{:>12}{}{}{}{}{}",
        format!("{}/{epochs}", test.epoch),
        decimal(test.loss),
        if better {
            paint.good(&accuracy_of_test)
        } else {
            accuracy_of_test
        },
        residual.unwrap_or_default(),
        paint.dim(&format!("{:>11}", short(test.rate))),
        paint.dim(&format!("{:>14}", duration(test.seconds))),
        if better {
            paint.good(" ★")
        } else {
            String::new()
        },
    )
}

/// A row of bars from 0 up to the values, at most `width` of them, the last always there.
pub fn sparkline(values: &[f64], width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(0.0, f64::max);
    let shown = values.len().min(width);
    let at = |i: usize| (i + 1) * values.len() / shown - 1;
    let bar = |value: f64| {
        let height = value / most;
        // NaN, where all values are 0, is cast to 0.
        BARS[((height * BARS.len() as f64) as usize).min(BARS.len() - 1)]
    };
    (0..shown).map(|i| bar(values[at(i)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(duration(6.21), "6.2 s");
        assert_eq!(duration(59.97), "1 min 00 s");
        assert_eq!(duration(72.0), "1 min 12 s");
        assert_eq!(duration(7380.0), "2 h 03 min");
        assert_eq!(decimal(0.00012), "1.2e-4");
        assert_eq!(decimal(1.23456), "1.2346");
        assert_eq!(short(0.1), "0.1");
        assert_eq!(short(3e-5), "3.00e-5");
    }

    #[test]
    fn sparklines_end_with_the_last_value() {
        assert_eq!(sparkline(&[0.0, 0.5, 1.0], 10), "▁▅█");
        assert_eq!(sparkline(&[0.0, 0.0], 10), "▁▁");
        assert_eq!(sparkline(&[], 10), "");
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        let line = sparkline(&many, 30);
        assert_eq!(line.chars().count(), 30);
        assert!(line.ends_with('█'));
    }
}
