//! The page of a single run.

use super::chart::palette::{BLACK, Look};
use super::chart::{Axis, Chart, Kind, Line, Point, Span, escape};
use super::confusion;
use super::figure::{self, ANY, Figure, by_epoch, slug};
use super::page::{Page, code, link_between};
use super::page_paths::{PagePaths, Unfinished};
use super::view;
use crate::escape::Shown;
use crate::files;
use crate::text::{counted, decimal, duration, percent};
use crate::train::config::Config;
use crate::train::history::{self, Epoch};
use crate::train::metrics::SkipLine;
use crate::train::run_folder;
use crate::train::snapshot::{Snapshot, State};
use std::path::Path;

/// Largest number of skips that the legend names one by one.
const NAMED: usize = 12;

/// Makes the page of what there is of a run, whether it has ended or not.
pub(super) fn page(run: &Snapshot, paths: &PagePaths) -> (Page, Vec<Figure>) {
    let dir = run.dir.as_path();
    let (epochs, config) = (&run.history, run.config.as_ref());
    let model = run.model.as_deref();
    let policy = config.and_then(view::policy);
    let title = match (model, &policy) {
        (Some(model), Some(policy)) => format!("Run of {model}, {policy}"),
        (Some(model), None) => format!("Run of {model}"),
        (None, _) => "Run".into(),
    };
    let mut page = Page::new(&title, &paths.figures);
    page.facts(&facts(run, paths));
    let look = policy.map_or(Look::new(BLACK), |policy| Look::named(&policy, 0));
    let mut curves = vec![titled(figure::curves("", &look, [epochs.as_slice()]))];
    curves.push(titled(losses(&look, epochs)));
    curves.retain(|figure| !figure.chart.is_empty());
    let mut text = "The training curves are of the images as they are trained on, augmented, over \
                    each epoch; the test curves of the test images after it."
        .to_string();
    if epochs.last().is_some_and(|last| last.residual.is_some()) {
        text.push_str(
            " The α residual is the mean of (1 − α)² over all skips: 1 while the skips are whole, \
             0 when they are gone.",
        );
    }
    page.figures("Curves", &text, &curves);
    let mut skips = skips(epochs);
    if !skips.is_empty() {
        page.figures(
            "Skips",
            "Each line is the mean over the elements of one skip, from the first skip of the \
             network (blue) to the last (orange); its band goes from the least element to the \
             greatest.",
            &skips,
        );
    }
    curves.append(&mut skips);
    if let Some(record) = run_folder::read_confusion(dir) {
        page.section("Classes", confusion::section(&record));
    }
    page.section("To repeat it", repeat(dir, config));
    (page, curves)
}

/// Says of a run that has not ended how far it is, and of one that no process trains how to go on.
pub(super) fn unfinished(run: &Snapshot) -> Option<Unfinished> {
    let reached = match (run.history.last(), &run.last) {
        (_, None) => "nothing is logged yet".to_string(),
        (None, Some(_)) => format!("{}, no epoch has ended", run.reached()),
        (Some(_), Some(_)) => run.reached(),
    };
    let state = match run.state {
        State::Finished => return None,
        State::Training => "training",
        State::Stopped => "stopped",
        State::Waiting => "not begun, or its config.json is lost",
    };
    let can_go_on = run.state == State::Stopped && run_folder::is_run(&run.dir);
    Some(Unfinished {
        state: format!("{state}: {reached}"),
        go_on: can_go_on.then(|| run_folder::go_on(&run.dir)),
    })
}

fn facts(run: &Snapshot, paths: &PagePaths) -> Vec<(&'static str, String)> {
    let (dir, epochs) = (run.dir.as_path(), &run.history);
    let shown = escape(&dir.shown());
    let folder = match link_between(&paths.parent, dir) {
        Some(link) => format!("<a href=\"{}\">{shown}</a>", escape(&link)),
        None => shown,
    };
    let mut facts = vec![("folder", folder)];
    if let Some(unfinished) = unfinished(run) {
        facts.push(("state", escape(&unfinished.state)));
        facts.extend(unfinished.go_on.map(|go_on| ("to go on", escape(&go_on))));
    }
    facts.extend(run.damage.iter().map(|damage| ("damage", escape(damage))));
    let Some(last) = epochs.last() else {
        return facts;
    };
    facts.push((
        "trained",
        format!(
            "{}, {}, {}",
            counted(last.epoch, "epoch"),
            counted(last.step, "step"),
            duration(last.seconds)
        ),
    ));
    if let Some(test) = last.test {
        let text = format!("{}, loss {}", percent(test.accuracy), decimal(test.loss));
        facts.push(("test accuracy", text));
    }
    if let Some((epoch, score)) = history::best(epochs) {
        facts.push((
            "best",
            format!("{} in epoch {epoch}", percent(score.accuracy)),
        ));
    }
    if let Some(residual) = last.residual {
        facts.push(("α residual", decimal(residual)));
    }
    facts
}

fn titled(chart: Chart) -> Figure {
    Figure {
        name: slug(&chart.title),
        chart,
    }
}

fn losses(look: &Look, epochs: &[Epoch]) -> Chart {
    let loss = |value: &dyn Fn(&Epoch) -> Option<f64>| by_epoch([epochs], ANY, value);
    let line = |name: &str, look: Look, points| Line {
        name: name.into(),
        look,
        right: false,
        points,
    };
    let bare = Look {
        marker: None,
        ..look.clone()
    };
    let mut lines = vec![
        line(
            "training loss",
            bare.dashed(figure::TRAINING),
            loss(&|epoch| epoch.train.map(|score| score.loss)),
        ),
        line(
            "test loss",
            look.clone(),
            loss(&|epoch| epoch.test.map(|score| score.loss)),
        ),
    ];
    lines.retain(|line| !line.points.is_empty());
    Chart {
        title: figure::title("", &[&figure::of_both("loss", &lines)]),
        x: figure::epoch_axis(),
        left: Axis::new("mean loss / nat", Span::Within([0.0, f64::INFINITY])).of(Kind::Size),
        right: None,
        lines,
    }
}

/// Draws the figures of α and of λ with a line for each skip.
fn skips(epochs: &[Epoch]) -> Vec<Figure> {
    let paths: Vec<&str> = match epochs.iter().rev().find(|epoch| !epoch.skips.is_empty()) {
        Some(epoch) => epoch.skips.iter().map(|skip| skip.path.as_str()).collect(),
        None => return Vec::new(),
    };
    let chart = |title: &str, label: &str, span, value: &Value| Chart {
        title: title.into(),
        x: figure::epoch_axis(),
        left: Axis::new(label, span),
        right: None,
        lines: (0..paths.len())
            .map(|i| line(&paths, i, epochs, value))
            .collect(),
    };
    vec![
        titled(chart(
            "α of each skip",
            "α",
            Span::Fixed([0.0, 1.0]),
            &|skip| (skip.alpha_mean, skip.alpha_range),
        )),
        titled(chart("λ of each skip", "λ", Span::Within(ANY), &|skip| {
            (skip.lambda_mean, skip.lambda_range)
        })),
    ]
}

/// Function that gives the mean of a skip and the ends of its band.
type Value<'a> = dyn Fn(&SkipLine) -> (f64, Option<[f64; 2]>) + 'a;

fn line(paths: &[&str], index: usize, epochs: &[Epoch], value: &Value) -> Line {
    let count = paths.len();
    let points = epochs.iter().filter_map(|epoch| {
        let (y, band) = value(epoch.skips.get(index)?);
        Some(Point {
            x: epoch.epoch as f64,
            y,
            // Many bands hide each other.
            band: band.filter(|_| count <= NAMED),
        })
    });
    let ends = index == 0 || index + 1 == count;
    Line {
        name: match count <= NAMED || ends {
            true => paths[index].to_string(),
            false => String::new(),
        },
        look: Look::ranked(index, count),
        right: false,
        points: points.collect(),
    }
}

/// Writes the section with the command, the file and every setting.
fn repeat(dir: &Path, config: Option<&Config>) -> String {
    let mut out = String::new();
    if let Some(command) = config.and_then(Config::command) {
        out.push_str(&code(command));
    }
    let folded = |name: &str, text: &str| {
        format!(
            "<details><summary>{name}</summary>{}</details>\n",
            code(text)
        )
    };
    if let Ok(source) = files::read_text(&run_folder::source(dir)) {
        out.push_str(&folded("model.van", &source));
    }
    if let Some(config) = config {
        out.push_str(&folded("config.json", &config.to_text()));
    }
    out
}
