//! The confusion matrix and the scores of each class, as tables of a page.

use super::chart::escape;
use crate::text::percent;
use crate::train::confusion::{Confusion, Record, Scores};
use std::fmt::Write;

/// Classes up to which the whole matrix is shown.
const MATRIX: usize = 30;
/// Pairs of classes that are shown where there are more.
const PAIRS: usize = 30;

/// Writes the section on which class was taken for which.
pub(super) fn section(record: &Record) -> String {
    let confusion = record.confusion();
    let mut out = format!(
        "<p>Of the test images after step {}. Precision is the share of the images taken for a \
         class that are of it, recall the share of its images that were taken for it, F1 their \
         harmonic mean.</p>\n",
        record.step
    );
    scores(&mut out, &record.classes, &confusion);
    match record.classes.len() <= MATRIX {
        true => matrix(&mut out, &record.classes, &confusion),
        false => pairs(&mut out, &record.classes, &confusion),
    }
    out
}

fn head(out: &mut String, caption: &str, columns: &[&str]) {
    let _ = write!(
        out,
        "<div class=\"wide\"><table><caption>{caption}</caption>\n<thead><tr>"
    );
    for column in columns {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(column));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
}

const END: &str = "</tbody></table></div>\n";

fn scores(out: &mut String, classes: &[String], confusion: &Confusion) {
    head(
        out,
        "Scores",
        &["class", "precision", "recall", "F1", "images"],
    );
    let (images, scores) = (
        confusion.images(classes.len()),
        confusion.scores(classes.len()),
    );
    let mut row = |name: &str, scores: &Scores, images: u64| {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(name));
        for share in [scores.precision, scores.recall, scores.f1] {
            let share = share.map_or("–".into(), percent);
            let _ = write!(out, "<td class=\"number\">{share}</td>");
        }
        let _ = writeln!(out, "<td class=\"number\">{images}</td></tr>");
    };
    for ((name, scores), &images) in classes.iter().zip(&scores).zip(&images) {
        row(name, scores, images);
    }
    row("mean", &Scores::mean(&scores), images.iter().sum());
    out.push_str(END);
}

/// Writes the matrix; a cell is shaded by its share of the images of its row.
fn matrix(out: &mut String, classes: &[String], confusion: &Confusion) {
    let mut columns = vec!["class"];
    columns.extend(classes.iter().map(String::as_str));
    let caption = "Confusion matrix: a row for the images of each class, a column for each class \
                   that they were taken for";
    head(out, caption, &columns);
    let images = confusion.images(classes.len());
    for (label, name) in classes.iter().enumerate() {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(name));
        for class in 0..classes.len() {
            let count = confusion.count(label, class);
            let share = count as f64 / images[label].max(1) as f64;
            let colour = if label == class {
                "0 128 96"
            } else {
                "200 80 0"
            };
            let shown = if count == 0 {
                "·".into()
            } else {
                count.to_string()
            };
            let _ = write!(
                out,
                "<td class=\"number\" style=\"background: rgb({colour} / {:.2})\">{shown}</td>",
                0.6 * share
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str(END);
}

/// Writes the pairs of classes that were mistaken most often.
fn pairs(out: &mut String, classes: &[String], confusion: &Confusion) {
    let mistakes = confusion.mistakes();
    let caption = format!(
        "The {} most frequent mistakes of {}",
        PAIRS.min(mistakes.len()),
        mistakes.len()
    );
    head(out, &caption, &["images", "of class", "taken for"]);
    let name = |class: usize| escape(classes.get(class).map_or("?", String::as_str));
    for mistake in mistakes.iter().take(PAIRS) {
        let _ = writeln!(
            out,
            "<tr><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>",
            mistake.images,
            name(mistake.label),
            name(mistake.class)
        );
    }
    out.push_str(END);
}
