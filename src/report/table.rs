//! The tables of a sweep, as HTML.

use super::chart::escape;
use super::published::Published;
use super::spread::Spread;
use super::view::{Facet, View};
use crate::sweep::results::Record;
use std::fmt::Write;

/// A quantity to tabulate.
pub struct Quantity {
    /// Title of the table, with the unit.
    pub title: &'static str,
    /// The number of a run.
    pub value: fn(&Record) -> Option<f64>,
    /// Factor that the number is multiplied by.
    pub scale: f64,
    /// Number of decimals.
    pub decimals: usize,
}

/// Accuracy of each run's best epoch, as in table 2 of the paper.
pub const BEST: Quantity = Quantity {
    title: "Best test accuracy / %",
    value: |row| row.best_test_accuracy,
    scale: 100.0,
    decimals: 2,
};

/// Accuracy at the end of each run.
pub const LAST: Quantity = Quantity {
    title: "Test accuracy at the end / %",
    value: |row| row.test_accuracy,
    scale: 100.0,
    decimals: 2,
};

/// α residual at the end of each run.
pub const RESIDUAL: Quantity = Quantity {
    title: "α residual at the end",
    value: |row| row.alpha_residual,
    scale: 1.0,
    decimals: 4,
};

/// Writes the table of `quantity` in `facet`, as HTML: a row for each policy, a column for each
/// depth. None if no run has the number.
pub fn table(
    view: &View,
    facet: &Facet,
    quantity: &Quantity,
    published: Option<&Published>,
) -> Option<String> {
    let columns = view.columns();
    let most = facet
        .cells
        .iter()
        .map(|cell| cell.runs.len())
        .max()
        .unwrap_or(0);
    let mut rows = String::new();
    for (series, name) in view.series.iter().enumerate() {
        let shown = if name.is_empty() {
            "all"
        } else {
            name.as_str()
        };
        let mut any = false;
        let mut row = String::new();
        let _ = write!(row, "<tr><th scope=\"row\">{}</th>", escape(shown));
        for along in 0..columns.len() {
            let cell = facet
                .cells
                .iter()
                .find(|cell| (cell.along, cell.series) == (along, series));
            let spread = cell.and_then(|cell| {
                let values = cell
                    .runs
                    .iter()
                    .filter_map(|run| (quantity.value)(&run.row));
                Spread::from_values(values.map(|value| value * quantity.scale))
            });
            any |= spread.is_some();
            let _ = write!(row, "<td>{}", number(spread, quantity.decimals, most));
            let other = published.and_then(|published| {
                published.find(name, view.along.as_ref().map(|axis| axis.positions[along]))
            });
            if let Some(other) = other {
                let _ = write!(row, "<br><i>{}</i>", escape(&other));
            }
            row.push_str("</td>");
        }
        row.push_str("</tr>\n");
        if any {
            rows.push_str(&row);
        }
    }
    if rows.is_empty() {
        return None;
    }
    let heads: String = columns
        .iter()
        .map(|column| format!("<th scope=\"col\">{}</th>", escape(column)))
        .collect();
    let suffix = match facet.name.is_empty() {
        true => String::new(),
        false => format!(", {}", escape(&facet.name)),
    };
    let axis = view.series_axis.as_deref().unwrap_or_default();
    let source = published.map(|published| {
        format!(
            "; <i>in italics</i> what {} gives",
            escape(&published.source)
        )
    });
    Some(format!(
        "<div class=\"wide\"><table><caption>{}{suffix}{}</caption>\n\
         <thead><tr><th scope=\"col\">{}</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n",
        escape(quantity.title),
        source.unwrap_or_default(),
        escape(axis),
    ))
}

/// Formats `98.12 ± 0.30`, with the number of runs if it is less than `most`.
fn number(spread: Option<Spread>, decimals: usize, most: usize) -> String {
    let Some(spread) = spread else {
        return "–".into();
    };
    let mut text = format!("{:.decimals$}", spread.mean);
    if let Some(deviation) = spread.deviation {
        let _ = write!(text, " ± {deviation:.decimals$}");
    }
    if spread.count < most {
        let _ = write!(text, " <small>({} of {most} runs)</small>", spread.count);
    }
    format!("<span class=\"number\">{text}</span>")
}
