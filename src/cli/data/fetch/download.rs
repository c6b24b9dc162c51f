//! The downloads of `vanc data fetch`, with a bar on a terminal, one line a dataset in a pipe.

use crate::cli::arguments::path;
use crate::cli::data::folder::{self, folder};
use crate::data::{Inventory, inventory};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::fetch::{self, CATALOG, Dataset, Event, Options};
use crate::ir::DatasetKind;
use crate::text;
use clap::ArgMatches;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Least time that `--timeout` takes; [`LONGEST_STALL`] is the most.
const SHORTEST_STALL: Duration = Duration::from_millis(1);
const LONGEST_STALL: Duration = Duration::from_secs(24 * 3600);

/// Fetches what is named and not there.
pub(super) fn run(matches: &ArgMatches) -> Result<()> {
    let names: Vec<&String> = matches.get_many("NAME").into_iter().flatten().collect();
    let options = options(matches)?;
    if options.from.is_some() && names.len() > 1 {
        return Err(Error::new("--from names the folder of one dataset's files")
            .help("fetch the datasets one by one"));
    }
    let dir_flag = path(matches, folder::FLAG.name);
    let (root, quiet) = (folder(matches)?, matches.get_flag("quiet"));
    let screen = Screen::new(quiet);
    screen.stop_on_signals()?;
    for (kind, dataset) in names.iter().filter_map(|name| called(name)) {
        let look = || look(kind, dir_flag);
        let before = look();
        if let (Some(dir), true, false) = (&before.dir, before.is_complete(), options.force) {
            fetch::tidy(&dataset, dir)?;
            let dir = dir.shown();
            screen.say(&format!(
                "{}: complete in {dir}, nothing to fetch",
                dataset.name
            ));
            continue;
        }
        let dir = root.join(dataset.folder);
        let fetched = fetch::fetch(&dataset, &dir, &options, &|event| screen.show(event));
        screen.clear();
        fetched?;
        let after = look();
        if let Some(fault) = after.faults.first() {
            let place = after.dir.unwrap_or(dir);
            return Err(Error::new(format!("{}: {fault}", place.shown())).help(
                "this file is read before the one that was fetched; move it out of the way",
            ));
        }
        screen.say(&format!(
            "{}: {}, {}, in {}",
            dataset.name,
            text::counted(after.files, "file"),
            text::bytes(after.bytes),
            dir.shown()
        ));
    }
    Ok(())
}

/// Finds the dataset called `name`, if it is in the catalog.
fn called(name: &str) -> Option<(DatasetKind, Dataset<'static>)> {
    CATALOG
        .into_iter()
        .find(|(_, dataset)| dataset.name == name)
}

fn options(matches: &ArgMatches) -> Result<Options> {
    let mut options = Options {
        from: matches.get_one::<String>("from").cloned(),
        force: matches.get_flag("force"),
        ..Options::default()
    };
    if let Some(&seconds) = matches.get_one::<f64>("timeout") {
        options.stall = Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|stall| (SHORTEST_STALL..=LONGEST_STALL).contains(stall))
            .ok_or_else(|| {
                Error::new(format!("--timeout {seconds}: there is no such wait"))
                    .help("give seconds, from 0.001 to 86400, which is a day")
            })?;
    }
    if let Some(&retries) = matches.get_one::<u32>("retries") {
        options.retries = retries;
    }
    Ok(options)
}

fn look(kind: DatasetKind, dir: Option<&Path>) -> Inventory {
    inventory(kind, dir).unwrap_or(Inventory {
        dir: None,
        files: 0,
        bytes: 0,
        faults: Vec::new(),
    })
}

/// Screen of a fetch: the bar and lines that a person sees.
struct Screen {
    quiet: bool,
    /// Progress bar, if standard error is a terminal.
    bar: Option<ProgressBar>,
    /// The file under way and the bytes it will have, for the word on a signal.
    under_way: Arc<Mutex<Option<(PathBuf, u64)>>>,
}

impl Screen {
    fn new(quiet: bool) -> Self {
        let terminal = !quiet && Term::stderr().is_term();
        Screen {
            quiet,
            bar: terminal
                .then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())),
            under_way: Arc::default(),
        }
    }

    /// Prints what came of it. That nobody reads it does no harm.
    fn say(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        *self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn show(&self, event: Event) {
        if let Event::Begun { file, part } = event {
            let mut under_way = self
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *under_way = Some((part.to_owned(), file.bytes));
        }
        let Some(bar) = &self.bar else {
            return;
        };
        match event {
            Event::Begun { file, .. } => {
                // The style first: the others draw.
                bar.set_style(style());
                bar.set_prefix(file.name.to_owned());
                bar.set_message("");
                bar.set_length(file.bytes);
                bar.reset();
            }
            Event::At(bytes) => bar.set_position(bytes),
            Event::Checking => bar.set_message("checking its sum"),
            Event::Unpacking => bar.set_message("unpacking"),
            Event::Trouble(what) => {
                bar.set_message("");
                bar.println(format!("  {what}"));
            }
        }
    }

    /// Makes SIGINT and SIGTERM end the process at once from here on, with a word on what is
    /// kept: bytes are only ever appended, and names given last, so any moment is good.
    #[cfg(unix)]
    fn stop_on_signals(&self) -> Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let failed = |e: std::io::Error| Error::new(format!("cannot listen for signals: {e}"));
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
        let (bar, under_way) = (self.bar.clone(), self.under_way.clone());
        let listen = move || {
            if let Some(signal) = signals.forever().next() {
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                let under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = writeln!(std::io::stderr(), "{}", farewell(under_way.as_ref()));
                signal_hook::low_level::exit(128 + signal);
            }
        };
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(listen)
            .map_err(failed)?;
        Ok(())
    }

    #[cfg(not(unix))]
    fn stop_on_signals(&self) -> Result<()> {
        Ok(())
    }
}

/// Writes the parting words, which say what is kept of the file under way.
#[cfg(unix)]
fn farewell(under_way: Option<&(PathBuf, u64)>) -> String {
    let kept = under_way.and_then(|(part, all)| {
        let bytes = part.metadata().ok()?.len();
        Some((part, bytes, all))
    });
    match kept {
        Some((part, bytes, &all)) => format!(
            "stopped: {} keeps {} of {}; the same command goes on from there",
            part.shown(),
            text::bytes(bytes),
            text::bytes(all)
        ),
        None => "stopped; the same command goes on from here".into(),
    }
}

fn style() -> ProgressStyle {
    let template = "  {prefix} {bar:24.green/black.bright} {decimal_bytes:>9}/\
                    {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left  {msg}";
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}
