//! `vanc data list`: what there is of each dataset, and where.

use super::folder::{self, folder};
use crate::cli::arguments::{choice, path};
use crate::cli::command::{Command, Run};
use crate::cli::output::{Failure, print};
use crate::data::{Inventory, inventory};
use crate::escape::Shown;
use crate::fetch::{CATALOG, Dataset};
use crate::flags::{self, Format};
use crate::paint::{self, Paint};
use crate::table::{facts, indented};
use crate::text;
use clap::ArgMatches;
use serde_json::{Value, json};
use std::path::Path;

pub(super) const COMMAND: Command = Command {
    name: "list",
    about: "Show which datasets are there",
    flags: &[(None, &[folder::FLAG]), (None, flags::FORMAT)],
    run: Run::Other(&[], run),
};

/// A dataset of the catalog, and what there is of it.
struct Row {
    dataset: Dataset<'static>,
    inventory: Inventory,
    /// Bytes of files that are begun, and the bytes those will have.
    begun: Option<(u64, u64)>,
}

/// Prints every dataset that can be fetched.
fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let root = folder(matches)?;
    let dir = path(matches, folder::FLAG.name);
    let rows: Vec<Row> = CATALOG
        .into_iter()
        .filter_map(|(kind, dataset)| {
            Some(Row {
                dataset,
                inventory: inventory(kind, dir)?,
                begun: begun(&dataset, &root.join(dataset.folder)),
            })
        })
        .collect();
    print(&match choice(matches, "format", Format::parse)? {
        Format::Text => to_text(&rows, &root, paint::width()),
        Format::Json => format!("{:#}\n", to_json(&rows, &root)),
    })
}

/// Finds the progress of an interrupted fetch into `dir`.
fn begun(dataset: &Dataset, dir: &Path) -> Option<(u64, u64)> {
    let lengths = dataset.files.iter().filter_map(|file| {
        let length = file.part(dir).metadata().ok()?.len();
        Some((length, file.bytes))
    });
    lengths.reduce(|(a, all_a), (b, all_b)| (a + b, all_a + all_b))
}

fn to_text(rows: &[Row], root: &Path, room: Option<usize>) -> String {
    let folder = format!("data in {}", root.shown());
    let mut out = format!("\n{}\n\n", indented(&folder, 2, room));
    let mut states = Vec::new();
    for row in rows {
        let state = match (&row.inventory.dir, row.inventory.faults.as_slice()) {
            (Some(dir), []) => format!(
                "complete     {}, {}, in {}",
                text::counted(row.inventory.files, "file"),
                text::bytes(row.inventory.bytes),
                dir.shown()
            ),
            (Some(dir), [first, rest @ ..]) => {
                let more = match rest.len() {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                format!("incomplete   {first}{more}, in {}", dir.shown())
            }
            (None, _) => {
                let all = row.dataset.files.iter().map(|file| file.bytes).sum();
                format!("not there    {} to fetch", text::bytes(all))
            }
        };
        states.push((row.dataset.name, state));
        if let Some((bytes, all)) = row.begun {
            let (bytes, all) = (text::bytes(bytes), text::bytes(all));
            states.push(("", format!("begun        {bytes} of {all}")));
        }
    }
    out.push_str(&facts(states, 2, Paint(false), room));
    if rows.iter().any(|row| !row.inventory.is_complete()) {
        out.push_str("\n  `vanc data fetch NAME` fetches what is missing\n");
    }
    out.push('\n');
    out
}

fn to_json(rows: &[Row], root: &Path) -> Value {
    let datasets = rows.iter().map(|row| {
        json!({
            "name": row.dataset.name,
            "complete": row.inventory.is_complete(),
            "dir": row.inventory.dir,
            "files": row.inventory.files,
            "bytes": row.inventory.bytes,
            "faults": row.inventory.faults,
            "begun_bytes": row.begun.map(|(bytes, _)| bytes),
        })
    });
    json!({ "folder": root, "datasets": datasets.collect::<Vec<_>>() })
}
