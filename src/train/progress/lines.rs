//! Lines of the log as a person reads them.

use crate::paint::Tone;
use crate::table::{Cell, Column, Layout};
use crate::text::{decimal, duration, four_decimals, percent, rate, short};
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

/// Lays out the table of epochs on a terminal of `room` columns.
pub fn layout(skips: bool, epochs: u64, room: Option<usize>) -> Layout {
    let mut columns = vec![
        (Column::numbers("epoch"), format!("{epochs}/{epochs}").len()),
        (Column::numbers("loss").rank(3), 8),
        (Column::numbers("accuracy").rank(4), 8),
        (Column::numbers("test loss").rank(2), 8),
        (Column::numbers("test acc."), 8),
    ];
    if skips {
        columns.push((Column::numbers("α residual").rank(1), 8));
    }
    columns.extend([
        (Column::numbers("rate").rank(6), 8),
        (Column::numbers("time so far").rank(5), 11),
        (Column::words(""), 1),
    ]);
    let (columns, widths): (Vec<Column>, Vec<usize>) = columns.into_iter().unzip();
    Layout::new(columns, &widths, 2, room)
}

/// Lists the cells of an epoch in the table that [`layout`] lays out.
pub fn row(train: Option<&Line>, test: &Line, epochs: u64, better: bool) -> Vec<Cell> {
    let sums = train.and_then(|line| line.epoch_loss.zip(line.epoch_accuracy));
    let (loss, accuracy) = match sums {
        Some((loss, accuracy)) => (four_decimals(loss), percent(accuracy)),
        None => ("–".into(), "–".into()),
    };
    let tone = if better { Tone::Good } else { Tone::Plain };
    let mut cells = vec![
        Cell::from(format!("{}/{epochs}", test.epoch)),
        Cell::from(loss),
        Cell::from(accuracy),
        Cell::from(four_decimals(test.loss)),
        Cell::new(percent(test.accuracy), tone),
    ];
    let residual = test.alpha_residual.map(four_decimals);
    cells.extend(residual.map(|residual| Cell::new(residual, Tone::Accent)));
    cells.extend([
        Cell::new(rate(test.rate), Tone::Dim),
        Cell::new(duration(test.seconds), Tone::Dim),
        Cell::new(if better { "★" } else { "" }, tone),
    ]);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;
    use crate::train::metrics::Split;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    fn line(split: Split, loss: f64, residual: Option<f64>) -> Line {
        Line {
            split,
            step: 63,
            epoch: 1,
            loss,
            accuracy: 0.6725,
            rate: 0.0481563,
            alpha_residual: residual,
            lambda_mean: None,
            seconds: 0.8,
            epoch_loss: Some(loss),
            epoch_accuracy: Some(0.5),
            skips: None,
        }
    }

    fn table(room: usize) -> String {
        let layout = layout(true, 8, Some(room));
        let mut lines = vec![layout.head(Paint(false))];
        for (loss, better) in [(1.8412, true), (0.00003, false)] {
            let train = line(Split::Train, loss, Some(0.5));
            let test = line(Split::Test, loss / 2.0, Some(loss / 1e4));
            let cells = row(Some(&train), &test, 8, better);
            lines.push(layout.row(cells, Paint(false)));
        }
        lines.extend(layout.note());
        lines.join("\n")
    }

    #[test]
    fn epochs_fit_the_terminal() {
        insta::assert_snapshot!("epochs_120", table(120));
        insta::assert_snapshot!("epochs_80", table(80));
        insta::assert_snapshot!("epochs_60", table(60));
    }

    proptest! {
        #[test]
        fn no_epoch_is_wider_than_the_terminal(
            numbers in prop::array::uniform4(any::<f64>()),
            room in 1usize..130,
            epochs in 1u64..100_000,
            skips: bool,
        ) {
            let [loss, accuracy, rate, seconds] = numbers;
            let train = line(Split::Train, loss, skips.then_some(rate));
            let test = Line { accuracy, rate, seconds, ..train.clone() };
            let layout = layout(skips, epochs, Some(room));
            let shown = layout.row(row(Some(&train), &test, epochs, true), Paint(false));
            prop_assert!(shown.width() <= room, "{room}: {shown}");
        }
    }
}
