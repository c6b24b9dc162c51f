//! The network as a table, with repeated structure folded.

use super::cost::{own_cost, shape_words, totals};
use super::skips::constraint_words;
use super::train::train_section;
use super::words::layer_words;
use crate::ir::{Layer, Model};
use crate::paint::Paint;
use crate::table::{Column, Table, facts, indented};
use crate::text::{count, grouped, plural};

/// Line of the table: a layer, or the same layer of several repeats.
struct Row {
    path: String,
    words: String,
    output: String,
    copies: usize,
    parameters: u128,
    multiply_adds: u128,
}

/// Writes the table of `model`: path, layer, output shape, parameters and multiply-adds, then the
/// totals and the settings of training. Repeats that are alike share their lines,
/// `stage2.{1..3}`, and their costs are summed there; with `all`, each has its own. It fits a
/// terminal of `room` columns.
pub fn table(model: &Model, all: bool, room: Option<usize>) -> String {
    let mut rows = Vec::new();
    let layers: Vec<&Layer> = model.layers.iter().collect();
    Folder {
        all,
        rows: &mut rows,
    }
    .scope(&layers, 0, "", 1);
    let mut out = heading(model, room);
    out.push('\n');
    out.push_str(&draw(&rows, room));
    let totals = totals(model);
    let words = format!(
        "depth {} · {} {} · {} {} a sample",
        totals.depth,
        grouped(totals.parameters),
        plural(totals.parameters, "parameter"),
        count(totals.multiply_adds),
        plural(totals.multiply_adds, "multiply-add"),
    );
    out.push_str(&format!("\n{}\n", indented(&words, 0, room)));
    let words = constraint_words(model).unwrap_or_default();
    for line in words.lines() {
        let indent = line.len() - line.trim_start().len();
        out.push_str(&format!("{}\n", indented(line.trim_start(), indent, room)));
    }
    out + "\n" + &train_section(&model.train, room)
}

fn heading(model: &Model, room: Option<usize>) -> String {
    let mut out = format!("model {}\n", model.name);
    for line in model.doc.iter().flat_map(|doc| doc.lines()) {
        out.push_str(&format!("{}\n", indented(line, 2, room)));
    }
    let params = model.params.iter().map(|param| {
        let doc = param.doc.as_deref().unwrap_or_default().replace('\n', " ");
        (format!("{} = {}", param.name, param.value), doc)
    });
    out.push_str(&facts(params, 2, Paint(false), room));
    let shapes = format!(
        "{} → {}",
        shape_words(model.input),
        shape_words(model.output)
    );
    out.push_str(&format!("{}\n", indented(&shapes, 2, room)));
    out
}

struct Folder<'a> {
    all: bool,
    rows: &'a mut Vec<Row>,
}

impl Folder<'_> {
    /// Adds the rows of layers whose paths share their first `skip` bytes, which are shown as
    /// `shown`; each stands for `copies` layers.
    fn scope(&mut self, layers: &[&Layer], skip: usize, shown: &str, copies: usize) {
        let mut rest = layers;
        while let Some(first) = rest.first() {
            let Some((name, _)) = iteration(first, skip) else {
                self.layer(first, skip, shown, copies);
                rest = &rest[1..];
                continue;
            };
            let same_repeat = |l: &&&Layer| iteration(l, skip).is_some_and(|(n, _)| n == name);
            let length = rest.iter().take_while(same_repeat).count();
            let (repeat, after) = rest.split_at(length);
            self.repeat(repeat, name, skip, shown, copies);
            rest = after;
        }
    }

    /// Adds the rows of one `repeat` named `name`: a block for each run of equal iterations.
    fn repeat(&mut self, layers: &[&Layer], name: &str, skip: usize, shown: &str, copies: usize) {
        let same = |a: &&Layer, b: &&Layer| index(a, skip) == index(b, skip);
        let iterations: Vec<&[&Layer]> = layers.chunk_by(same).collect();
        let mut start = 0;
        while start < iterations.len() {
            let first = iterations[start];
            let inner = |layers: &[&Layer]| skip + name.len() + 2 + index(layers[0], skip).len();
            let alike = |other: &&&[&Layer]| {
                first.len() == other.len()
                    && first
                        .iter()
                        .zip(**other)
                        .all(|(a, b)| equal(a, b, inner(first), inner(other)))
            };
            let run = match self.all {
                true => 1,
                false => iterations[start..].iter().take_while(alike).count(),
            };
            let low = index(first[0], skip);
            let high = index(iterations[start + run - 1][0], skip);
            let shown = match run {
                1 => format!("{shown}{name}.{low}."),
                _ => format!("{shown}{name}.{{{low}..{high}}}."),
            };
            self.scope(first, inner(first), &shown, copies * run);
            start += run;
        }
    }

    fn layer(&mut self, layer: &Layer, skip: usize, shown: &str, copies: usize) {
        let path = format!("{shown}{}", &layer.path[skip..]);
        let cost = own_cost(layer);
        self.rows.push(Row {
            words: layer_words(layer),
            output: layer.output.to_string(),
            copies,
            parameters: cost.parameters * copies as u128,
            multiply_adds: cost.multiply_adds * copies as u128,
            path: path.clone(),
        });
        let body: Vec<&Layer> = layer.op.body().iter().collect();
        self.scope(&body, layer.path.len() + 1, &format!("{path}."), copies);
    }
}

/// Finds the name and the index of the repeat that a layer's path goes through next.
fn iteration(layer: &Layer, skip: usize) -> Option<(&str, &str)> {
    let mut segments = layer.path[skip..].splitn(3, '.');
    let (name, index, _) = (segments.next()?, segments.next()?, segments.next()?);
    index
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some((name, index))
}

fn index(layer: &Layer, skip: usize) -> &str {
    iteration(layer, skip).map_or("", |(_, index)| index)
}

/// Whether two layers are the same but for the first bytes of their paths.
fn equal(a: &Layer, b: &Layer, skip_a: usize, skip_b: usize) -> bool {
    let (body_a, body_b) = (a.op.body(), b.op.body());
    a.path[skip_a..] == b.path[skip_b..]
        && (a.input, a.output) == (b.input, b.output)
        && layer_words(a) == layer_words(b)
        && body_a.len() == body_b.len()
        && body_a
            .iter()
            .zip(body_b)
            .all(|(a, b)| equal(a, b, skip_a, skip_b))
}

fn draw(rows: &[Row], room: Option<usize>) -> String {
    let folded = rows.iter().any(|row| row.copies > 1);
    let mut columns = vec![
        Column::words("path").at_least(16),
        Column::words("layer").at_least(16),
        Column::words("output").rank(2),
    ];
    columns.extend(folded.then(|| Column::numbers("×").rank(3)));
    columns.extend([
        Column::numbers("parameters").rank(1),
        Column::numbers("multiply-adds").rank(4),
    ]);
    let mut table = Table::new(columns);
    table.ruled = true;
    let number = |n: u128, text: String| if n == 0 { String::new() } else { text };
    for row in rows {
        let mut cells = vec![row.path.clone(), row.words.clone(), row.output.clone()];
        if folded {
            let copies = row.copies as u128;
            cells.push(number(copies - 1, copies.to_string()));
        }
        cells.extend([
            number(row.parameters, grouped(row.parameters)),
            number(row.multiply_adds, count(row.multiply_adds)),
        ]);
        table.row(cells);
    }
    table.text(Paint(false), room)
}
