//! The page of a sweep.

use super::chart::escape;
use super::figure::{self, Figure};
use super::page::{Page, code, link_between};
use super::page_paths::PagePaths;
use super::published::Published;
use super::sweep::{Run, Sweep};
use super::view::View;
use super::{sweep_figures, table};
use crate::sweep::grid::Axis;
use crate::sweep::results::Status;
use crate::text::duration;
use crate::text::quote;
use std::fmt::Write;
use std::path::Path;

pub(super) fn page(
    sweep: &Sweep,
    published: Option<&Published>,
    layers: &dyn Fn(&Run) -> Option<usize>,
    paths: &PagePaths,
) -> (Page, Vec<Figure>) {
    let view = View::new(sweep, layers);
    let mut groups = sweep_figures::groups(&view);
    let mut all: Vec<Figure> = groups.iter().flat_map(|g| g.figures.clone()).collect();
    figure::name_apart(&mut all);
    let mut named = all.iter();
    for figure in groups.iter_mut().flat_map(|group| &mut group.figures) {
        if let Some(same) = named.next() {
            figure.name.clone_from(&same.name);
        }
    }
    let file = Path::new(&sweep.settings.file);
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut page = Page::new(&format!("Sweep of {stem}"), &paths.figures);
    page.facts(&facts(sweep));
    if sweep.with_status(Status::Done).next().is_none() {
        let text = "<p>No run has come to its end yet, so there is nothing to draw.</p>\n";
        page.section("No results", text.into());
    }
    let mut groups = groups.into_iter().peekable();
    if let Some(first) = groups.next_if(|group| group.title.starts_with("Accuracy")) {
        page.figures(&first.title, &first.text, &first.figures);
    }
    let tables = tables(&view, published);
    if !tables.is_empty() {
        page.section("Tables", tables);
    }
    for group in groups {
        page.figures(&group.title, &group.text, &group.figures);
    }
    if let Some(unfinished) = unfinished(sweep, paths) {
        page.section("Runs that failed or are missing", unfinished);
    }
    page.section("To repeat it", repeat(sweep));
    page.section("All runs", runs(sweep, paths));
    (page, all)
}

fn facts(sweep: &Sweep) -> Vec<(&'static str, String)> {
    let count = |status| sweep.with_status(status).count();
    let (done, failed, missing) = (
        count(Status::Done),
        count(Status::Failed),
        count(Status::Missing),
    );
    let mut runs = format!("{done} of {} done", sweep.runs.len());
    for (number, what) in [(failed, "failed"), (missing, "missing")] {
        if number > 0 {
            let _ = write!(runs, ", <strong>{number} {what}</strong>");
        }
    }
    let varied = sweep.settings.grid.axes.iter().map(|axis| {
        format!(
            "{}: {}",
            escape(&axis.name),
            escape(&axis.values.join(", "))
        )
    });
    let seconds: f64 = sweep.runs.iter().filter_map(|run| run.row.seconds).sum();
    let damages = sweep.runs.iter().filter_map(|run| run.damage.as_deref());
    let damages: Vec<String> = damages.map(escape).collect();
    let mut facts = vec![
        ("file", escape(&sweep.settings.file)),
        ("varied", varied.collect::<Vec<_>>().join("<br>")),
        ("seeds", escape(&seeds(sweep))),
        ("runs", runs),
        ("training", format!("{} in all", duration(seconds))),
    ];
    if !damages.is_empty() {
        facts.push(("damage", damages.join("<br>")));
    }
    facts
}

fn seeds(sweep: &Sweep) -> String {
    let seeds: Vec<String> = sweep
        .settings
        .grid
        .seeds
        .iter()
        .map(u64::to_string)
        .collect();
    seeds.join(", ")
}

fn tables(view: &View, published: Option<&Published>) -> String {
    let mut out = String::new();
    for facet in &view.facets {
        let best = table::table(view, facet, &table::BEST, published);
        let last = table::table(view, facet, &table::LAST, None);
        let residual = table::table(view, facet, &table::RESIDUAL, None);
        out.extend([best, last, residual].into_iter().flatten());
    }
    if !out.is_empty() {
        out.insert_str(
            0,
            "<p>Mean ± standard deviation over the runs that differ in their seed. The best \
             epoch is chosen by the test images themselves, as papers do, so it is a little too \
             good.</p>\n",
        );
    }
    out
}

/// Writes the section about the runs without a result, if there are any.
fn unfinished(sweep: &Sweep, paths: &PagePaths) -> Option<String> {
    let mut rows = String::new();
    for run in sweep
        .runs
        .iter()
        .filter(|run| run.row.status != Status::Done)
    {
        let reason = match (run.row.status, &run.row.error) {
            (_, Some(error)) => escape(error),
            (Status::Failed, None) => "it gave no reason".into(),
            (Status::Done | Status::Missing, None) => String::new(),
        };
        let _ = writeln!(
            rows,
            "<tr><td class=\"long\">{}</td><td>{}</td><td class=\"long\">{reason}</td></tr>",
            link(run, paths),
            run.row.status.name()
        );
    }
    (!rows.is_empty()).then(|| {
        format!(
            "<p>The sweep's own command, given again, does only these.</p>\n\
             <div class=\"wide\"><table><thead><tr><th>run</th><th>state</th><th>what it said</th>\
             </tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
        )
    })
}

/// Writes the name of a run, with a link to its folder if that exists.
fn link(run: &Run, paths: &PagePaths) -> String {
    let name = run.row.run.trim_start_matches("runs/");
    match link_between(&paths.parent, &run.dir) {
        Some(to) => format!("<a href=\"{}\">{}</a>", escape(&to), escape(name)),
        None => escape(name),
    }
}

/// Writes the section with the command of the sweep and the file, and where to find those of
/// single runs.
fn repeat(sweep: &Sweep) -> String {
    let mut out = code(&command(sweep));
    if let Some(source) = &sweep.source {
        let _ = writeln!(
            out,
            "<details><summary>{}</summary>{}</details>",
            escape(&sweep.settings.file),
            code(source)
        );
    }
    let command_of_run = |run: &Run| Some(run.config.as_ref()?.command()?.to_string());
    let commands: Vec<String> = sweep.runs.iter().filter_map(command_of_run).collect();
    if !commands.is_empty() {
        let _ = writeln!(
            out,
            "<details><summary>The commands of the single runs</summary>{}</details>",
            code(&commands.join("\n"))
        );
    }
    out
}

/// Writes the command that starts an equal sweep.
fn command(sweep: &Sweep) -> String {
    let settings = &sweep.settings;
    let mut words = vec!["vanc".to_string(), "sweep".into(), quote(&settings.file)];
    for Axis { name, values } in &settings.grid.axes {
        words.push("--vary".into());
        words.push(quote(&format!("{name}={}", values.join(","))));
    }
    let counted = (0..settings.grid.seeds.len() as u64).eq(settings.grid.seeds.iter().copied());
    match settings.grid.seeds.as_slice() {
        [] => {}
        _ if counted => words.extend(["--seeds".into(), settings.grid.seeds.len().to_string()]),
        // With --seeds a single number is a count.
        [seed] => words.extend(["--seed".into(), seed.to_string()]),
        _ => words.extend(["--seeds".into(), seeds(sweep).replace(' ', "")]),
    }
    for (name, value) in &settings.options {
        words.extend([format!("--{name}"), quote(value)]);
    }
    words.join(" ")
}

fn runs(sweep: &Sweep, paths: &PagePaths) -> String {
    let mut rows = String::new();
    let percent = |share: Option<f64>| share.map_or("–".into(), |s| format!("{:.2}", 100.0 * s));
    for run in &sweep.runs {
        let row = &run.row;
        let _ = writeln!(
            rows,
            "<tr><td class=\"long\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td class=\"number\">{}</td></tr>",
            link(run, paths),
            row.status.name(),
            row.epochs.map_or("–".into(), |epochs| format!("{epochs}")),
            percent(row.train_accuracy),
            percent(row.test_accuracy),
            percent(row.best_test_accuracy),
            row.alpha_residual
                .map_or("–".into(), |residual| format!("{residual:.4}")),
            row.seconds.map_or("–".into(), duration),
        );
    }
    format!(
        "<div class=\"wide\"><table><thead><tr><th>run</th><th>state</th><th>epochs</th>\
         <th>training accuracy / %</th><th>test accuracy / %</th><th>best / %</th>\
         <th>α residual</th><th>training time</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}
