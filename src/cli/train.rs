//! `vanc train FILE`: data, engine, run folder and loop, chained.

use super::device::{self, Choice, Runner, Wanted};
use super::worker;
use crate::data::{self, Dataset, Request, Sampler};
use crate::describe::{count, totals};
use crate::engines::cuda::{self, Group, GroupId};
use crate::engines::{self, Engine};
use crate::error::{Error, Result};
use crate::ir::Model;
use crate::plan::Purpose;
use crate::schedule;
use crate::tensor::Tensor;
use crate::train::checkpoint::{Checkpoint, DataMeta, FORMAT, Meta};
use crate::train::config::Config;
use crate::train::options::{Options, Order};
use crate::train::progress::{Progress, Summary};
use crate::train::run_folder::{self, RunFolder, RunStart};
use crate::train::run_progress::RunProgress;
use crate::train::session::{Ending, Session, Task};
use crate::train::stop::Stop;
use crate::train::weights;
use crate::world::leader::{self, Leader};
use crate::world::{self, Links, Settings, World};
use std::rc::Rc;

/// More threads than this are taken for a slip of the hand.
const MOST_THREADS: usize = 1024;

/// What the first signal is answered with.
const STOPPING: &str = "\nfinishing the step, then saving; once more to leave at once\n";

/// Trains `model`, which `source` and the flags in `options` make, to its end or until
/// a signal stops it.
pub fn run(source: &str, model: &Model, options: &Options) -> Result<Ending> {
    options.check()?;
    use_threads(options.threads)?;
    let world = World::from_environment()?;
    if let Some(world) = world.as_ref().filter(|world| world.rank > 0) {
        return worker::run(source, model, options, world);
    }
    let mut progress = Progress::new(options.quiet);
    let ending = train(source, model, options, world.as_ref(), &mut progress);
    progress.clear();
    ending
}

fn train(
    source: &str,
    model: &Model,
    options: &Options,
    world: Option<&World>,
    progress: &mut Progress,
) -> Result<Ending> {
    let mut settings = Config::new(model, options)?;
    let out = options.out.as_deref();
    let start = run_folder::choose(&model.name, out, options.resume, options.force)?;
    if let RunStart::Resumed { folder, checkpoint } = &start {
        settings = resumed_settings(settings, folder, checkpoint, source)?;
    }
    // All that can fail for a reason of the user's comes before anything is written.
    let choice = match world {
        Some(world) => {
            let (card, precision) = device::choose_in(world, Wanted::from_options(options))?;
            Choice::from(Runner::Cuda(card, precision))
        }
        None => device::choose(Wanted::from_options(options))?,
    };
    if let Some(note) = &choice.note {
        progress.note(note);
    }
    let stop = Stop::default();
    let links = world.map(|world| gather(world, &settings, source, &stop, progress));
    let links = links.transpose()?;
    let dataset = load_data(model, options, progress)?;
    // A batch larger than the dataset is as large as that.
    let batch = model.train.batch.min(dataset.train.len());
    let part = world.map_or(batch, |world| world.part(batch));
    let runner = &choice.runner;
    runner.check_memory(model, part, Purpose::Training, options.memory)?;
    let make = |tensors: &[Tensor]| build(runner, model, tensors, links.as_ref());
    let mut engine = engine(model, options, &make, &start, &dataset)?;
    let (folder, meta) = match start {
        RunStart::Resumed { folder, checkpoint } => {
            folder.write_settings(&settings.to_text())?;
            (folder, checkpoint.meta)
        }
        RunStart::New {
            dir,
            numbered,
            force,
        } => {
            if options.resume {
                progress.note(&format!(
                    "there is no run to resume in {}: beginning one",
                    dir.display()
                ));
            }
            let settings = settings.to_text();
            let folder = run_folder::begin(&dir, numbered, force, source, &settings)?;
            (folder, first_meta(source, model, options, &dataset))
        }
    };
    stop.on_signals(STOPPING)?;
    if options.stop_on_eof {
        stop.when_input_ends()?;
    }
    show_heading(progress, model, &dataset, engine.as_ref(), &folder, &meta);
    let sampler = sampler(model, options);
    let steps = sampler.steps(dataset.train.len());
    let rate = |step| {
        let train = &model.train;
        schedule::rate(
            &train.schedule,
            train.optimizer.rate,
            train.epochs,
            steps,
            step,
        )
    };
    let task = Task {
        dataset: &dataset,
        sampler: &sampler,
        rate: &rate,
        epochs: model.train.epochs as u64,
        max_steps: options.max_steps,
        log_every: options.log_every,
        save_every: options.save_every,
        tensorboard: options.tensorboard,
    };
    let mut session = Session::new(task, engine.as_mut(), &folder, meta, &stop, progress)?;
    let ending = session.run()?;
    let (reached, history) = session.into_results();
    if let Some(links) = &links {
        links.end(match ending {
            Ending::Finished => None,
            Ending::Stopped(signal) => Some(signal),
        });
    }
    match ending {
        Ending::Finished => progress.summary(&Summary {
            progress: &reached,
            history: &history,
            dir: folder.dir(),
        }),
        Ending::Stopped(_) => progress.note(&format!(
            "stopped after step {} and saved {}; to go on:\n\n    {}\n",
            reached.step,
            run_folder::last(folder.dir()).display(),
            options.command(Some(folder.dir())),
        )),
    }
    Ok(ending)
}

/// Sets the size of the pool that every engine and the data preparation share, to be
/// done once, before anything uses it; `None` leaves a thread a core.
pub fn use_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else {
        return Ok(());
    };
    if !(1..=MOST_THREADS).contains(&threads) {
        return Err(Error::new(format!(
            "--threads {threads}: there must be between 1 and {MOST_THREADS}"
        ))
        .help("leave --threads out to use every core"));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| Error::new(format!("--threads {threads}: {e}")))
}

/// The settings of a resumed run: this command's, where they agree with those it began
/// with in all that may not change.
fn resumed_settings(
    mut settings: Config,
    folder: &RunFolder,
    checkpoint: &Checkpoint,
    source: &str,
) -> Result<Config> {
    let dir = folder.dir();
    let began_as = |config: Option<&Config>| match config.and_then(Config::command) {
        Some(command) => format!("it began with\n    {command}\n"),
        None => String::new(),
    };
    let path = run_folder::config(dir);
    let started = path.exists().then(|| Config::read(&path)).transpose()?;
    let mut differences = Vec::new();
    if let Some(started) = &started {
        differences = settings.differences(started);
        settings.keep_start_of(started);
    }
    if checkpoint.meta.source != source {
        let line = different_line(&checkpoint.meta.source, source);
        differences.insert(0, format!("the file has changed in line {line}"));
    }
    if differences.is_empty() {
        return Ok(settings);
    }
    Err(Error::new(format!(
        "the run in {} cannot go on under other settings: {}",
        dir.display(),
        differences.join("; ")
    ))
    .help(format!(
        "{}give --resume with the run's own settings and file (a copy is {}), \
         or begin another run in another folder with --out",
        began_as(started.as_ref()),
        run_folder::source(dir).display(),
    )))
}

/// The number, from 1, of the first line that differs.
pub(super) fn different_line(a: &str, b: &str) -> usize {
    let equal = a.lines().zip(b.lines()).take_while(|(a, b)| a == b);
    equal.count() + 1
}

fn load_data(model: &Model, options: &Options, progress: &Progress) -> Result<Dataset> {
    let kind = model.train.data.kind;
    let request = Request {
        kind,
        dir: options.data_dir.as_deref(),
        input: model.input,
        classes: model.output.elements(),
    };
    data::load(&request, &progress.loader(kind.keyword()))
}

/// Waits as rank 0 for the other processes.
fn gather(
    world: &World,
    settings: &Config,
    source: &str,
    stop: &Stop,
    progress: &mut Progress,
) -> Result<Rc<Links>> {
    progress.note(&format!(
        "rank 0 of {}: waiting for the others at {}:{}",
        world.size, world.address, world.port
    ));
    let settings = Settings {
        config: settings.to_text(),
        source: source.into(),
    };
    let streams = world::lead(world, &settings, world::LIMIT)?;
    Ok(Rc::new(Links::new(world, streams, stop)?))
}

/// The engine, and with `links` those of the other processes, in the state `tensors`.
fn build(
    runner: &Runner,
    model: &Model,
    tensors: &[Tensor],
    links: Option<&Rc<Links>>,
) -> Result<Box<dyn Engine>> {
    let (Some(links), Runner::Cuda(card, precision)) = (links, runner) else {
        return runner.build(model, tensors);
    };
    let id = GroupId::new()?;
    leader::begin(links, &id, tensors)?;
    let group = Group {
        id,
        rank: links.world().rank,
        size: links.world().size,
    };
    let engine = cuda::engine_in(&group, card, *precision, model, tensors)?;
    Ok(Box::new(Leader::new(engine, links.clone())))
}

/// Makes an engine in a state.
type Make<'a> = dyn Fn(&[Tensor]) -> Result<Box<dyn Engine>> + 'a;

/// The engine in the state that the run begins or goes on with.
fn engine(
    model: &Model,
    options: &Options,
    make: &Make,
    start: &RunStart,
    dataset: &Dataset,
) -> Result<Box<dyn Engine>> {
    let mut initial = engines::init::initial(model, model.train.seed);
    match start {
        RunStart::New { .. } => {
            if let Some(path) = &options.weights {
                weights::load(path, model, &mut initial)?;
            }
            make(&initial)
        }
        RunStart::Resumed { folder, checkpoint } => {
            checkpoint.meta.data.check(dataset)?;
            let mut engine = make(&initial)?;
            engine
                .load(&checkpoint.tensors)
                .map_err(|e| in_checkpoint(e, folder))?;
            Ok(engine)
        }
    }
}

fn in_checkpoint(error: Error, folder: &RunFolder) -> Error {
    let path = run_folder::last(folder.dir());
    Error {
        message: format!("cannot go on from {}: {}", path.display(), error.message),
        help: error.help,
    }
}

fn sampler(model: &Model, options: &Options) -> Sampler {
    Sampler {
        seed: model.train.seed,
        batch: model.train.batch,
        shuffle: options.order == Order::Shuffled,
        augment: match options.augment {
            true => model.train.data.augment.clone(),
            false => Vec::new(),
        },
    }
}

fn first_meta(source: &str, model: &Model, options: &Options, dataset: &Dataset) -> Meta {
    Meta {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        model: model.name.clone(),
        source: source.into(),
        overrides: options.overrides.clone(),
        data: DataMeta::new(dataset, options.data_dir.as_deref()),
        seed: model.train.seed,
        progress: RunProgress::default(),
    }
}

fn show_heading(
    progress: &mut Progress,
    model: &Model,
    dataset: &Dataset,
    engine: &dyn Engine,
    folder: &RunFolder,
    meta: &Meta,
) {
    let train = &model.train;
    let totals = totals(model);
    let images = dataset.train.len();
    let threads = rayon::current_num_threads();
    let plural = if threads == 1 { "" } else { "s" };
    let mut facts = vec![
        (
            "network",
            format!(
                "{} layers deep, {} parameters",
                totals.depth,
                count(totals.parameters)
            ),
        ),
        (
            "data",
            format!(
                "{}: {images} training and {} test images of {}, {} classes",
                dataset.name,
                dataset.test.len(),
                dataset.shape,
                dataset.classes.len()
            ),
        ),
        (
            "training",
            format!(
                "{} epochs of {} steps, batch {}, rate {} ({}), momentum {}",
                train.epochs,
                images.div_ceil(train.batch.max(1)),
                train.batch,
                train.optimizer.rate,
                train.schedule,
                train.optimizer.momentum
            ),
        ),
        (
            "engine",
            format!("{}, {threads} thread{plural}", engine.name()),
        ),
        ("run", folder.dir().display().to_string()),
    ];
    if meta.progress.step > 0 {
        let reached = &meta.progress;
        let at = format!("after step {}, {} epochs done", reached.step, reached.epoch);
        facts.push(("resumed", at));
    }
    progress.heading(&model.name, &facts);
}
