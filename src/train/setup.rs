//! The way from a model and options to a session: device, data, engine and run folder.

use super::checkpoint::{DataMeta, FORMAT, Meta};
use super::config::Config;
use super::device::{self, Runner, use_threads};
use super::heading::facts;
use super::progress::{Progress, Summary};
use super::reschedule::{self, keep_speed};
use super::resume::{keep_flags, refuse_past, resumed_settings};
use super::run_folder::{self, RunFolder, RunStart};
use super::run_progress::RunProgress;
use super::run_session::RunSession;
use super::session::{Ending, Session, Task};
use super::tensorboard::{Preface, hyperparameters};
use super::{weights, worker};
use crate::data::{self, Dataset, Request, Sampler};
use crate::describe::skip_notes;
use crate::engines::cuda::{self, Group, GroupId};
use crate::engines::{self, Engine};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::flags::{Options, Order};
use crate::ir::Model;
use crate::plan::Purpose;
use crate::schedule;
use crate::stop::Stop;
use crate::tensor::Tensor;
use crate::text::counted;
use crate::world::leader::{self, Leader};
use crate::world::{self, Links, Settings, World};
use std::rc::Rc;

/// Answer to the first signal.
const STOPPING: &str = "\nfinishing the step, then saving; once more to leave at once\n";

/// A training that has not begun: what it is asked to do, and all that follows from that.
pub struct Setup<'a> {
    /// Text of the `.van` file.
    source: &'a str,
    /// The network that the text and the flags make.
    model: &'a Model,
    options: Options,
    /// The processes that train together, where there are several.
    world: Option<World>,
    stop: Stop,
}

impl<'a> Setup<'a> {
    /// Prepares a training of `model`, which `source` and the flags in `options` make.
    ///
    /// # Errors
    /// Where the options contradict one another, or the environment names no sound world.
    pub fn new(source: &'a str, model: &'a Model, options: &'a Options) -> Result<Setup<'a>> {
        options.check()?;
        Ok(Setup {
            source,
            model,
            options: options.clone(),
            world: World::from_environment()?,
            stop: Stop::default(),
        })
    }

    /// Trains to the end, or until a signal stops it.
    ///
    /// # Errors
    /// Where it cannot begin, and then nothing is written; where it cannot go on.
    pub fn run(mut self) -> Result<Ending> {
        if let Some(world) = self.world.as_ref().filter(|world| world.rank > 0) {
            use_threads(self.options.threads)?;
            return worker::run(self.model, &self.options, world);
        }
        let mut progress = Progress::new(self.options.quiet);
        let ending = self.train(&mut progress);
        progress.clear();
        let ending = ending?;
        if matches!(ending, Ending::Finished) {
            progress.written()?;
        }
        Ok(ending)
    }

    fn train(&mut self, progress: &mut Progress) -> Result<Ending> {
        let (start, mut settings) = self.start()?;
        let options = &self.options;
        use_threads(options.threads)?;
        let started = started(&start)?;
        let mut model = self.model.clone();
        if let Some(paths) = &options.freeze {
            model.freeze(paths)?;
            let specs = model.tensors();
            let frozen = specs.iter().filter(|spec| spec.frozen).count();
            progress.note(&format!(
                "--freeze {paths}: {} of {} stay as they are",
                frozen,
                counted(specs.len(), "tensor")
            ));
        }
        if let Some(started) = &started {
            keep_speed(&mut model.train.constraint, started);
            settings.set_train(&model.train);
        }
        // All that can fail for a reason of the user's comes before anything is written.
        let runner = self.runner(progress)?;
        let links = self.gather(&settings, progress)?;
        let dataset = self.dataset(progress)?;
        self.check_statistics(&dataset)?;
        self.check_memory(&runner, &dataset)?;
        let sampler = self.sampler();
        let steps = sampler.steps(dataset.train.len());
        let epochs = model.train.epochs;
        let mut done = 0;
        if let RunStart::Resumed { folder, checkpoint } = &start {
            let progress = &checkpoint.meta.progress;
            refuse_past(folder.dir(), progress, steps, epochs, options.max_steps)?;
            done = progress.step;
        }
        self.resolve_rates(&mut model, &start, started.as_ref(), &dataset)?;
        settings.set_train(&model.train);
        let model = &model;
        for note in skip_notes(model, dataset.train.len()) {
            progress.note(&note);
        }
        let initial = self.initial(model, &start, &dataset, progress)?;
        let mut engine = self.engine(model, &runner, links.as_ref(), &start, &initial, &dataset)?;
        settings.add_session(&RunSession::now(done, epochs as u64, engine.name()));
        let (folder, meta) = self.folder(start, &settings, &dataset, progress)?;
        self.stop.on_signals(STOPPING)?;
        if options.stop_on_eof {
            self.stop.when_input_ends()?;
        }
        let facts = facts(
            model,
            &dataset,
            engine.as_ref(),
            folder.dir(),
            &meta.progress,
        );
        progress.heading(&model.name, &facts);
        let task = Task {
            dataset: &dataset,
            sampler: &sampler,
            rate: &|step| self.rate(steps, step),
            epochs: epochs as u64,
            max_steps: options.max_steps,
            log_every: options.log_every,
            save_every: options.save_every,
            tensorboard: options.tensorboard,
            preface: &Preface {
                settings: hyperparameters(&settings),
                source: self.source,
                images: Some(&dataset),
            },
        };
        let mut session = Session::new(task, engine.as_mut(), &folder, meta, &self.stop, progress)?;
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
                run_folder::last(folder.dir()).shown(),
                run_folder::go_on(folder.dir()),
            )),
        }
        Ok(ending)
    }

    /// Finds where the run starts, and its settings; a resumed run keeps the flags it has.
    fn start(&mut self) -> Result<(RunStart, Config)> {
        let Setup { model, options, .. } = self;
        let out = options.out.as_deref();
        let start = run_folder::choose(&model.name, out, options.resume, options.force)?;
        match &start {
            RunStart::Resumed { folder, checkpoint } => {
                keep_flags(options, folder.dir(), checkpoint.meta.progress.step)?;
            }
            // One that ended before its first checkpoint begins again as it was.
            RunStart::New { dir, .. } if options.resume => keep_flags(options, dir, 0)?,
            RunStart::New { .. } => {}
        }
        let mut settings = Config::new(model, options)?;
        if let RunStart::Resumed { folder, checkpoint } = &start {
            settings = resumed_settings(settings, folder, checkpoint, model, options)?;
        }
        Ok((start, settings))
    }

    /// Resolves the rates that follow from the number of images: for a resumed run, those that
    /// it had.
    fn resolve_rates(
        &self,
        model: &mut Model,
        start: &RunStart,
        started: Option<&Config>,
        dataset: &Dataset,
    ) -> Result<()> {
        let images = dataset.train.len();
        match (start, started) {
            (RunStart::Resumed { checkpoint, .. }, Some(started)) => {
                checkpoint.meta.data.check(dataset)?;
                let done = &checkpoint.meta.progress;
                reschedule::resolve(model, images, started, done, self.options.reschedule)
            }
            (RunStart::Resumed { .. }, None) | (RunStart::New { .. }, _) => {
                schedule::resolve(&mut model.train, images);
                Ok(())
            }
        }
    }

    /// Chooses the device, and the engine there.
    fn runner(&self, progress: &mut Progress) -> Result<Runner> {
        if let Some(world) = &self.world {
            let (card, precision) = device::choose_in(world, self.options.on)?;
            return Ok(Runner::Cuda(card, precision));
        }
        let choice = device::choose(self.options.on)?;
        if let Some(note) = &choice.note {
            progress.note(note);
        }
        Ok(choice.runner)
    }

    /// Waits as rank 0 for the other processes, where there are any.
    fn gather(&self, settings: &Config, progress: &mut Progress) -> Result<Option<Rc<Links>>> {
        let Some(world) = &self.world else {
            return Ok(None);
        };
        progress.note(&format!(
            "rank 0 of {}: waiting for the others at {}:{}",
            world.size, world.address, world.port
        ));
        let settings = Settings {
            config: settings.to_text(),
            source: self.source.into(),
        };
        let streams = world::lead(world, &settings, world::LIMIT)?;
        Ok(Some(Rc::new(Links::new(world, streams, &self.stop)?)))
    }

    fn dataset(&self, progress: &Progress) -> Result<Dataset> {
        let kind = self.model.train.data.kind;
        let request = Request {
            kind,
            dir: self.options.data_dir.as_deref(),
            input: self.model.input,
            classes: self.model.output.elements(),
            trained: None,
        };
        data::load(&request, &progress.loader(kind.keyword()))
    }

    /// Refuses batches of which a batch norm would normalise single values.
    fn check_statistics(&self, dataset: &Dataset) -> Result<()> {
        let processes = self.world.as_ref().map_or(1, |world| world.size);
        let images = Some(dataset.train.len());
        match self.model.single_values(images, processes) {
            None => Ok(()),
            Some(single) => {
                Err(Error::new(&single.message)
                    .help(single.help(|batch| format!("--batch {batch}"))))
            }
        }
    }

    fn check_memory(&self, runner: &Runner, dataset: &Dataset) -> Result<()> {
        // A batch larger than the dataset is as large as that.
        let batch = self.model.train.batch.min(dataset.train.len());
        let part = self.world.as_ref().map_or(batch, |world| world.part(batch));
        runner.check_memory(self.model, part, Purpose::Training, self.options.memory)
    }

    /// Makes the tensors that a training of the model begins with, and says which start from a
    /// file where not all do.
    fn initial(
        &self,
        model: &Model,
        start: &RunStart,
        dataset: &Dataset,
        progress: &mut Progress,
    ) -> Result<Vec<Tensor>> {
        let mut initial = engines::init::initial(model, model.train.seed);
        let options = &self.options;
        if let (RunStart::New { .. }, Some(path)) = (start, &options.weights) {
            let weights = weights::File {
                path,
                matching: options.weights_match,
                names: options.weights_names.as_deref(),
            };
            for note in weights.load(model, &dataset.classes, &mut initial)? {
                progress.note(&note);
            }
        }
        Ok(initial)
    }

    /// Makes the engine in the state that the run begins or goes on with.
    fn engine(
        &self,
        model: &Model,
        runner: &Runner,
        links: Option<&Rc<Links>>,
        start: &RunStart,
        initial: &[Tensor],
        dataset: &Dataset,
    ) -> Result<Box<dyn Engine>> {
        match start {
            RunStart::New { .. } => self.engine_in(model, runner, links, initial),
            RunStart::Resumed { folder, checkpoint } => {
                checkpoint.meta.data.check(dataset)?;
                let mut engine = self.engine_in(model, runner, links, initial)?;
                let last = run_folder::last(folder.dir());
                engine.load(&checkpoint.tensors).map_err(|error| Error {
                    message: format!("cannot go on from {}: {}", last.shown(), error.message),
                    help: error.help,
                })?;
                Ok(engine)
            }
        }
    }

    /// Makes the engine, and with `links` those of the other processes, in the state `tensors`.
    fn engine_in(
        &self,
        model: &Model,
        runner: &Runner,
        links: Option<&Rc<Links>>,
        tensors: &[Tensor],
    ) -> Result<Box<dyn Engine>> {
        let (Some(links), Runner::Cuda(card, precision)) = (links, runner) else {
            return runner.build(model, tensors);
        };
        let id = GroupId::new()?;
        leader::begin(links, &id, tensors, model.train.constraint.rates())?;
        let group = Group {
            id,
            rank: links.world().rank,
            size: links.world().size,
        };
        let engine = cuda::engine_in(&group, card, *precision, model, tensors)?;
        Ok(Box::new(Leader::new(engine, links.clone())))
    }

    /// Opens the run's folder, made where it is a new one, and tells what its checkpoints begin
    /// with.
    fn folder(
        &self,
        start: RunStart,
        settings: &Config,
        dataset: &Dataset,
        progress: &mut Progress,
    ) -> Result<(RunFolder, Meta)> {
        let settings = settings.to_text();
        match start {
            RunStart::Resumed { folder, checkpoint } => {
                folder.write_settings(&settings)?;
                Ok((folder, checkpoint.meta))
            }
            RunStart::New {
                dir,
                numbered,
                force,
            } => {
                if self.options.resume {
                    progress.note(&format!(
                        "there is no run to resume in {}: beginning one",
                        dir.shown()
                    ));
                }
                let folder = run_folder::begin(&dir, numbered, force, self.source, &settings)?;
                Ok((folder, self.first_meta(dataset)))
            }
        }
    }

    fn first_meta(&self, dataset: &Dataset) -> Meta {
        Meta {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            model: self.model.name.clone(),
            source: self.source.into(),
            overrides: self.options.overrides.clone(),
            data: DataMeta::new(dataset, self.options.data_dir.as_deref()),
            seed: self.model.train.seed,
            progress: RunProgress::default(),
        }
    }

    fn sampler(&self) -> Sampler {
        let train = &self.model.train;
        Sampler {
            seed: train.seed,
            batch: train.batch,
            shuffle: self.options.order == Order::Shuffled,
            augment: match self.options.augment {
                true => train.data.augment.clone(),
                false => Vec::new(),
            },
        }
    }

    /// Computes the learning rate of a step, counted from 0, where an epoch has so many `steps`.
    fn rate(&self, steps: usize, step: u64) -> f64 {
        let train = &self.model.train;
        let base = train.optimizer.rate();
        schedule::rate(&train.schedule, base, train.epochs, steps, step)
    }
}

/// Reads the settings of a run that goes on, if they are there.
fn started(start: &RunStart) -> Result<Option<Config>> {
    match start {
        RunStart::Resumed { folder, .. } => Config::of_run(folder.dir()),
        RunStart::New { .. } => Ok(None),
    }
}
