//! Tables and lists of facts that fit the width of a terminal.
//!
//! A table on a narrow terminal first cuts long names in the middle, then leaves out columns, the
//! least important first, and says which. Without a width, as in a pipe, it is whole.

use crate::escape::escaped;
use crate::paint::{Paint, Tone};
use crate::text::{cut_middle, wrap};
use unicode_width::UnicodeWidthStr;

/// Columns between two columns of a table.
const GAP: usize = 2;

/// Side of its column that a cell is flushed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    head: String,
    side: Side,
    rank: u8,
    least: Option<usize>,
}

impl Column {
    /// Makes a column of words, which stays at every width.
    pub fn words(head: impl Into<String>) -> Self {
        Column {
            head: head.into(),
            side: Side::Left,
            rank: 0,
            least: None,
        }
    }

    /// Makes a column of numbers, which stays at every width.
    pub fn numbers(head: impl Into<String>) -> Self {
        Column {
            side: Side::Right,
            ..Column::words(head)
        }
    }

    /// Lets the column be left out: the highest `rank` goes first, 0 never.
    pub fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }

    /// Lets long cells be cut in the middle, down to `least` columns.
    pub fn at_least(mut self, least: usize) -> Self {
        self.least = Some(least);
        self
    }
}

/// A cell: text, and how it is painted.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Makes a cell of painted text.
    pub fn new(text: impl Into<String>, tone: Tone) -> Self {
        Cell {
            text: escaped(&text.into()).into_owned(),
            tone,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::new(text, Tone::Plain)
    }
}

/// Widths of the columns of a table whose rows may come one by one.
#[derive(Clone, Debug)]
pub struct Layout {
    columns: Vec<Column>,
    /// Width of each column; none if it is left out.
    widths: Vec<Option<usize>>,
    indent: usize,
    room: Option<usize>,
}

impl Layout {
    /// Fits `columns`, whose cells are as wide as `cells` says, `indent` columns from the left
    /// into `room`.
    pub fn new(columns: Vec<Column>, cells: &[usize], indent: usize, room: Option<usize>) -> Self {
        let natural = columns.iter().enumerate();
        let widths = natural
            .map(|(i, column)| Some(column.head.width().max(cells.get(i).copied().unwrap_or(0))));
        let mut layout = Layout {
            widths: widths.collect(),
            columns,
            indent,
            room,
        };
        layout.fit();
        layout
    }

    /// Leaves out columns until the others, cut as far as they may be, have room; then cuts them
    /// no further than they must be.
    fn fit(&mut self) {
        let Some(room) = self.room else { return };
        let least = |layout: &Layout, i: usize| {
            let width = layout.widths[i].unwrap_or(0);
            layout.columns[i].least.map_or(width, |l| l.min(width))
        };
        loop {
            let kept = (0..self.columns.len()).filter(|&i| self.widths[i].is_some());
            let kept: Vec<usize> = kept.collect();
            let tightest = kept.iter().map(|&i| least(self, i)).sum::<usize>();
            // The last of equals goes first.
            let last = kept.iter().copied().max_by_key(|&i| self.columns[i].rank);
            match last {
                Some(i) if self.columns[i].rank > 0 && tightest + self.between() > room => {
                    self.widths[i] = None;
                }
                Some(_) | None => break,
            }
        }
        let limits: Vec<usize> = (0..self.columns.len()).map(|i| least(self, i)).collect();
        self.narrow(&limits, room);
        // No terminal is as narrow as this unless it is a mistake: a column of its own each.
        self.narrow(&vec![1; limits.len()], room);
    }

    /// Narrows the widest columns, none below its limit, until all have room.
    fn narrow(&mut self, limits: &[usize], room: usize) {
        let mut over = self.width().saturating_sub(room);
        while over > 0 {
            let wide = (0..self.widths.len())
                .filter_map(|i| Some((self.widths[i].filter(|&width| width > limits[i])?, i)));
            let Some((widest, i)) = wide.clone().max() else {
                return;
            };
            // Down to the next widest, so that long cells do not take long.
            let next = wide.filter(|&(_, j)| j != i).map(|(width, _)| width).max();
            let floor = next.map_or(limits[i], |next| next.max(limits[i]).min(widest - 1));
            let less = over.min(widest - floor);
            self.widths[i] = Some(widest - less);
            over -= less;
        }
    }

    /// Columns that are no cell's: the indent and the gaps.
    fn between(&self) -> usize {
        let kept = self.widths.iter().flatten().count();
        self.indent + GAP * kept.saturating_sub(1)
    }

    /// Returns the width of the table.
    pub fn width(&self) -> usize {
        self.between() + self.widths.iter().flatten().sum::<usize>()
    }

    /// Returns the width that a column got, none if it is left out.
    pub fn width_of(&self, column: usize) -> Option<usize> {
        self.widths.get(column).copied().flatten()
    }

    /// Writes the line of the heads.
    pub fn head(&self, paint: Paint) -> String {
        let heads = self.columns.iter().map(|column| column.head.as_str());
        paint.dim(&self.row(heads, Paint(false)))
    }

    /// Writes a row.
    pub fn row<C: Into<Cell>>(&self, cells: impl IntoIterator<Item = C>, paint: Paint) -> String {
        let mut line = " ".repeat(self.indent);
        let mut blank = 0;
        let cells = cells.into_iter().zip(&self.columns).zip(&self.widths);
        for ((cell, column), width) in cells {
            let (Some(width), Cell { text, tone }) = (*width, cell.into()) else {
                continue;
            };
            let text = cut_middle(&text, width);
            let padding = width.saturating_sub(text.width());
            let (before, after) = match column.side {
                Side::Left => (0, padding),
                Side::Right => (padding, 0),
            };
            if text.is_empty() {
                blank += before + after + GAP;
                continue;
            }
            line.push_str(&" ".repeat(blank + before));
            line.push_str(&paint.tone(tone, &text));
            blank = after + GAP;
        }
        match self.room {
            // Where not even the indent and the gaps have room.
            Some(room) if self.width() > room => console::truncate_str(&line, room, "").into(),
            Some(_) | None => line,
        }
    }

    /// Says which columns are left out, in lines that fit; none if all are there.
    pub fn note(&self) -> Option<String> {
        let absent = self.columns.iter().zip(&self.widths);
        let absent: Vec<&str> = absent
            .filter(|(_, width)| width.is_none())
            .map(|(column, _)| column.head.as_str())
            .collect();
        if absent.is_empty() {
            return None;
        }
        let text = format!(
            "Left out for width: {}. A pipe gets every column.",
            absent.join(", ")
        );
        Some(indented(&text, self.indent, self.room))
    }
}

/// A table whose rows are all there.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    /// Blanks before every line.
    pub indent: usize,
    /// Whether a rule is drawn under the heads.
    pub ruled: bool,
}

impl Table {
    /// Makes a table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Table {
            columns,
            rows: Vec::new(),
            indent: 0,
            ruled: false,
        }
    }

    /// Adds a row, a cell for each column.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Fits the columns into `room`.
    pub fn layout(&self, room: Option<usize>) -> Layout {
        let width = |i: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(i));
            cells.map(|cell| cell.text.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        Layout::new(self.columns.clone(), &widths, self.indent, room)
    }

    /// Writes the heads, the rows, and which columns are left out. Heads that are all empty get
    /// no line.
    pub fn text(&self, paint: Paint, room: Option<usize>) -> String {
        let layout = self.layout(room);
        let mut lines = Vec::new();
        if self.columns.iter().any(|column| !column.head.is_empty()) {
            lines.push(layout.head(paint));
            if self.ruled {
                let rule = layout.width().saturating_sub(self.indent);
                let rule = rule.min(room.unwrap_or(usize::MAX).saturating_sub(self.indent));
                let blanks = " ".repeat(self.indent.min(room.unwrap_or(usize::MAX)));
                lines.push(format!("{blanks}{}", "─".repeat(rule)));
            }
        }
        let rows = self.rows.iter();
        lines.extend(rows.map(|row| layout.row(row.iter().cloned(), paint)));
        lines.extend(layout.note().map(|note| paint.dim(&note)));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Writes named facts under one another, `indent` columns from the left: the names in a column,
/// beside it the facts, wrapped where they are wider than `room`. A word that is wider itself, as a
/// path may be, stays whole, so that it can be copied.
pub fn facts<N: AsRef<str>>(
    facts: impl IntoIterator<Item = (N, String)>,
    indent: usize,
    paint: Paint,
    room: Option<usize>,
) -> String {
    let facts: Vec<(N, String)> = facts.into_iter().collect();
    let widest = facts.iter().map(|(name, _)| name.as_ref().width()).max();
    let start = indent + widest.unwrap_or(0) + GAP;
    let mut out = String::new();
    for (name, fact) in &facts {
        let name = name.as_ref();
        let gap = " ".repeat(start - indent - name.width());
        let lines = match room {
            Some(room) => wrap(fact, room.saturating_sub(start).max(1)),
            None => vec![fact.clone()],
        };
        for (i, line) in lines.iter().enumerate() {
            let before = match i {
                0 => format!("{}{}{gap}", " ".repeat(indent), paint.dim(name)),
                _ => " ".repeat(start),
            };
            out.push_str(&format!("{before}{line}\n"));
        }
    }
    out
}

/// Wraps `text` into lines of `room` that begin with `indent` blanks.
pub fn indented(text: &str, indent: usize, room: Option<usize>) -> String {
    let lines = match room {
        Some(room) => wrap(text, room.saturating_sub(indent).max(1)),
        None => vec![text.to_string()],
    };
    let lines = lines
        .iter()
        .map(|line| format!("{}{line}", " ".repeat(indent)));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A table as `describe` has it.
    fn table() -> Table {
        let mut table = Table::new(vec![
            Column::words("path").at_least(8),
            Column::words("layer").at_least(12).rank(1),
            Column::numbers("parameters").rank(2),
            Column::numbers("loss"),
        ]);
        table.ruled = true;
        table.row([
            "stage1.{0..3}.skip0.conv0",
            "conv(16, kernel: 3)",
            "2,304",
            "0.5",
        ]);
        table.row(["stage1.{0..3}.skip0.conv1", "relu", "", "0.25"]);
        table
    }

    fn text(room: Option<usize>) -> String {
        table().text(Paint(false), room)
    }

    #[test]
    fn a_pipe_gets_every_column_whole() {
        insta::assert_snapshot!(text(None), @"
        path                       layer                parameters  loss
        ────────────────────────────────────────────────────────────────
        stage1.{0..3}.skip0.conv0  conv(16, kernel: 3)       2,304   0.5
        stage1.{0..3}.skip0.conv1  relu                             0.25
        ");
        assert_eq!(text(Some(64)), text(None));
    }

    #[test]
    fn names_are_cut_before_columns_are_left_out() {
        insta::assert_snapshot!(text(Some(50)), @"
        path             layer            parameters  loss
        ──────────────────────────────────────────────────
        stage1.…0.conv0  conv(16…nel: 3)       2,304   0.5
        stage1.…0.conv1  relu                         0.25
        ");
        insta::assert_snapshot!(text(Some(36)), @"
        path            layer           loss
        ────────────────────────────────────
        stage1.….conv0  conv(16…el: 3)   0.5
        stage1.….conv1  relu            0.25
        Left out for width: parameters. A
        pipe gets every column.
        ");
    }

    #[test]
    fn facts_are_wrapped_beside_their_names() {
        let list = [
            ("data", "60000 training and 10000 test images".to_string()),
            ("run", "runs/a-folder-whose-name-is-long".to_string()),
        ];
        insta::assert_snapshot!(facts(list, 2, Paint(false), Some(30)), @"
        data  60000 training and
              10000 test images
        run   runs/a-folder-whose-name-is-long
        ");
    }

    proptest! {
        /// Checks that no line is wider than the terminal, whatever is in the cells, and that a
        /// column of rank 0 is never left out.
        #[test]
        fn no_line_is_wider_than_the_terminal(
            rows in prop::collection::vec((r"\PC{0,40}", "[a-zé漢👩️]{0,60}", any::<u32>()), 0..6),
            room in 0usize..130,
            indent in 0usize..4,
            head in "[a-z ]{0,10}",
        ) {
            let mut table = Table::new(vec![
                Column::words("name").at_least(5),
                Column::words(head).at_least(3).rank(1),
                Column::numbers("accuracy"),
                Column::numbers("time").rank(2),
            ]);
            table.indent = indent;
            table.ruled = true;
            for (name, words, number) in &rows {
                let number = number.to_string();
                table.row([name.as_str(), words, &number, "1 min 12 s"]);
            }
            for line in table.text(Paint(false), Some(room)).lines() {
                // A single word of the note may be wider than very small terminals.
                prop_assert!(line.width() <= room.max(16), "{room}: {line}");
            }
            let layout = table.layout(Some(room));
            prop_assert!(layout.width_of(0).is_some() && layout.width_of(2).is_some());
            let whole = table.text(Paint(false), None);
            for (name, words, _) in &rows {
                prop_assert!(whole.contains(&*escaped(name)) && whole.contains(words));
            }
        }
    }
}
