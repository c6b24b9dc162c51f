//! `vanc sweep --dry-run`: the runs of a grid, and how each stands.

use crate::sweep::folder;
use crate::sweep::grid::{Grid, Run};
use crate::sweep::outcome::Outcome;
use crate::train::run_folder;
use std::path::Path;

/// Writes a row for each of the `runs` of the sweep in `dir`, and the `facts` above them.
pub(super) fn text(
    title: &str,
    facts: &[(&str, String)],
    grid: &Grid,
    runs: &[&Run],
    dir: &Path,
) -> String {
    let mut text = format!("\n  {title}\n\n");
    for (name, fact) in facts {
        text.push_str(&format!("  {name:<8}{fact}\n"));
    }
    text.push('\n');
    for run in runs {
        let values = grid.label(&run.values);
        let label = format!("{values} seed={}", run.seed);
        let state = state(&folder::run(dir, &run.name));
        text.push_str(&format!("  {state:<10}{}\n", label.trim_start()));
    }
    text.push_str("\n  nothing was started\n");
    text
}

/// Finds how the run in `dir` stands, in a word or two.
fn state(dir: &Path) -> &'static str {
    match Outcome::read(dir) {
        Some(Outcome::Done(_)) => "done",
        _ if run_folder::is_training(dir) => "under way",
        Some(Outcome::Failed { .. }) => "failed",
        None if run_folder::last(dir).exists() => "begun",
        None => "to do",
    }
}
