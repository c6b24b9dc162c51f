//! Lines of the log as a person reads them.

use crate::paint::Paint;
use crate::text::{decimal, duration, percent, short};
use crate::train::metrics::Line;

/// Formats a line of the log, for a pipe.
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

/// Formats an epoch as one line, for a pipe.
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

/// Writes the heads of [`row`]'s columns.
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

/// Formats an epoch as a row of the table on a terminal.
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
