//! The forms of a list of predictions.

use super::images::Images;
use crate::cli::trained::Trained;
use crate::flags::PredictionFormat;
use crate::paint::Paint;
use crate::sweep::results::line;
use crate::table::{Column, Layout};
use crate::text::percent;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

/// Columns of CSV, and keys of JSON.
const COLUMNS: [&str; 5] = ["file", "rank", "class", "index", "probability"];

/// Columns that a name has on the narrowest terminal.
const NAME: usize = 12;

/// A list of predictions: how its rows are written.
pub(super) struct Form<'a> {
    kind: Kind,
    /// Class names, by class index.
    classes: &'a [String],
}

enum Kind {
    Text { layout: Layout, paint: Paint },
    Csv,
    Json,
}

impl<'a> Form<'a> {
    /// Makes the form of `top` classes of each of `images`, for a terminal of `room` columns if
    /// there is one.
    pub fn new(
        format: PredictionFormat,
        images: &Images,
        trained: &'a Trained,
        top: usize,
        room: Option<usize>,
    ) -> Form<'a> {
        let classes = trained.checkpoint.meta.data.classes.as_slice();
        let kind = match format {
            PredictionFormat::Csv => Kind::Csv,
            PredictionFormat::Json => Kind::Json,
            PredictionFormat::Text => Kind::Text {
                layout: layout(images, classes, top, room),
                paint: Paint(room.is_some() && console::colors_enabled()),
            },
        };
        Form { kind, classes }
    }

    /// Writes the line above the rows, if there is one.
    pub fn head(&self) -> String {
        match &self.kind {
            Kind::Text { layout, paint } => layout.head(*paint) + "\n",
            Kind::Csv => line(COLUMNS.into_iter().map(String::from)),
            Kind::Json => String::new(),
        }
    }

    /// Writes the row of the class of index `index`, the `rank`-th of the image `name`.
    pub fn row(&self, name: &str, rank: usize, index: usize, probability: f64) -> String {
        let class = self.classes.get(index).map_or("", String::as_str);
        let (at, of) = (rank.to_string(), index.to_string());
        match &self.kind {
            Kind::Text { layout, paint } => {
                let cells = [name, class, &percent(probability), &at, &of];
                layout.row(cells, *paint) + "\n"
            }
            Kind::Csv => {
                let probability = probability.to_string();
                let cells = [name, &at, class, &of, &probability];
                line(cells.into_iter().map(String::from))
            }
            Kind::Json => {
                let values = [
                    json!(name),
                    json!(rank),
                    json!(class),
                    json!(index),
                    json!(probability),
                ];
                let pairs = COLUMNS.into_iter().map(String::from).zip(values);
                let object = serde_json::Value::Object(pairs.collect());
                format!("{object}\n")
            }
        }
    }

    /// Writes the lines below the rows, if there are any.
    pub fn foot(&self) -> String {
        let note = match &self.kind {
            Kind::Text { layout, .. } => layout.note(),
            Kind::Csv | Kind::Json => None,
        };
        note.map_or_else(String::new, |note| format!("\n{note}\n"))
    }
}

/// Lays the table out before its rows are there, so that they can come one by one.
fn layout(images: &Images, classes: &[String], top: usize, room: Option<usize>) -> Layout {
    let names = images.names().map(|name| name.width()).max().unwrap_or(0);
    let class = classes.iter().map(|class| class.width()).max().unwrap_or(0);
    let columns = vec![
        Column::words(images.noun()).at_least(NAME),
        Column::words("class").at_least(NAME),
        Column::numbers("probability"),
        Column::numbers("rank").rank(1),
        Column::numbers("index").rank(2),
    ];
    let cells = [
        names,
        class,
        "100.00 %".len(),
        top.to_string().len(),
        classes.len().to_string().len(),
    ];
    Layout::new(columns, &cells, 0, room)
}
