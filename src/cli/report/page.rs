//! The page of `vanc report`, and the words about it.

use crate::check::{self, Override, OverrideTarget};
use crate::cli::arguments::path;
use crate::cli::output::{Failure, print};
use crate::describe::totals;
use crate::diag::Sources;
use crate::escape::Shown;
use crate::files;
use crate::report::{self, Request, Written, sweep};
use crate::train::run_folder;
use clap::ArgMatches;
use std::path::Path;

/// Writes the page, and says where it is.
pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let written = report::write(&Request {
        dir: path(matches, "DIR").unwrap_or(Path::new(".")),
        out: path(matches, "out"),
        published: path(matches, "compare"),
        layers: &layers,
    })?;
    print(&summary(&written))
}

/// Counts the weighted layers of a run's network.
fn layers(run: &sweep::Run) -> Option<usize> {
    let path = run_folder::source(&run.dir);
    let text = files::read_text(&path).ok()?;
    let params = run.config.as_ref()?.params().into_iter();
    let overrides: Vec<Override> = params
        .map(|(name, value)| Override {
            target: OverrideTarget::Param,
            name,
            value,
        })
        .collect();
    let mut sources = Sources::new(path.shown(), text);
    let model = check::recheck(&mut sources, &overrides, false).ok()?;
    Some(totals(&model).depth)
}

/// Summarizes for a person what was written.
fn summary(written: &Written) -> String {
    let page = written.page.shown();
    let mut text = match written.figures {
        0 => format!("wrote {page}; there is nothing to draw yet\n"),
        figures => format!(
            "wrote {page}, and its {figures} figures as SVG and PNG in {}\n",
            written.folder.shown()
        ),
    };
    for damage in &written.damages {
        text.push_str(&format!("warning: {damage}\n"));
    }
    if let Some(unfinished) = &written.unfinished {
        text.push_str(&format!("the run has not ended: {}\n", unfinished.state));
        if let Some(go_on) = &unfinished.go_on {
            text.push_str(&format!("to go on:\n    {go_on}\n"));
        }
    }
    text
}
