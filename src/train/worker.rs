//! Training in a process that is not the first of its world: it trains with rank 0, prints
//! nothing and writes nothing.

use super::config::Config;
use super::device::choose_in;
use super::difference::{Difference, of_models};
use super::session::Ending;
use crate::check::{self, Override};
use crate::diag::Sources;
use crate::engines::cuda;
use crate::error::{Error, Result};
use crate::flags::Options;
use crate::ir::Model;
use crate::stop::Stop;
use crate::world::{self, Links, Settings, World, worker};

/// Trains along until rank 0 has ended.
pub(super) fn run(model: &Model, options: &Options, world: &World) -> Result<Ending> {
    let (card, precision) = choose_in(world, options.on)?;
    let ours = Config::new(model, options)?;
    let stream = world::join(world, world::LIMIT, |theirs| compare(&ours, model, theirs))?;
    let stop = Stop::default();
    stop.on_signals("")?;
    let links = Links::new(world, vec![(0, stream)], &stop)?;
    let beginning = links.telling(worker::begin(&links))?;
    let group = &beginning.group;
    let mut model = model.clone();
    if let Some(paths) = &options.freeze {
        model.freeze(paths)?;
    }
    model.train.constraint = model.train.constraint.with_rates(beginning.rates);
    let made = cuda::engine_in(group, &card, precision, &model, &beginning.tensors);
    let mut engine = links.telling(made)?;
    let served = worker::serve(engine.as_mut(), model.input, &links);
    if served.is_err() {
        // What it does may wait for the others.
        std::mem::forget(engine);
    }
    Ok(match links.telling(served)? {
        Some(signal) => Ending::Stopped(signal),
        None => Ending::Finished,
    })
}

/// Refuses settings that rank 0 does not have, or a file that means something else.
fn compare(ours: &Config, model: &Model, theirs: &Settings) -> Result<()> {
    let unread = || Error::new("the settings of rank 0 cannot be read");
    let config = Config::parse(&theirs.config).ok_or_else(unread)?;
    let overrides = Override::list(&config.overrides().ok_or_else(unread)?);
    let mut sources = Sources::new("", theirs.source.as_str());
    let there = check::check(&mut sources, &overrides, true)
        .map_err(|_| Error::new("the file of rank 0 is not sound for this version of vanc"))?;
    let mut differences = of_models(&there, model);
    differences.extend(ours.differences(&config));
    let said = |difference: &Difference| difference.said("in the run", "here");
    let mut differences: Vec<String> = differences.iter().map(said).collect();
    if ours.get("precision") != config.get("precision") {
        differences.push("--precision is another".into());
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::new(format!(
        "this process and rank 0 (`the run`) were started differently: {}",
        differences.join("; ")
    ))
    .help("start all processes with the same file and flags"))
}
