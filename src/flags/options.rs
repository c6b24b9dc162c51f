//! Options of a training, and the flags of the command line that set them.
//!
//! A flag of `vanc train` is told here alone: a field of [`Options`], its default in
//! [`Options::new`], and a row of the table.

use super::flag::{Flag, InSweep, Repeat, Target, Value};
use super::values::{Device, EngineKind, OnOff, Order, Overrides, Precision, Wanted, WeightsMatch};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::ir::train::{DATASET_LIST, INIT_LIST, LOSS_LIST, SCHEDULE_LIST};
use crate::memory;
use crate::text::quote;
use serde::{Serialize, Serializer};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything of a run that is not in [`crate::ir::Model`]. Serialised, it is the part of
/// `config.json` that flags make: the fields in their order, but for those that are skipped.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Options {
    /// The `.van` file, as it was named.
    #[serde(skip)]
    pub file: PathBuf,
    /// Overrides: the parts of the model that flags changed. They are in the model already;
    /// checkpoints and printed commands repeat them.
    #[serde(skip)]
    pub overrides: Overrides,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// Engine and device that run the network.
    #[serde(flatten)]
    pub on: Wanted,
    /// `--order`.
    pub order: Order,
    /// `--augment`: whether training images are varied as the file says.
    pub augment: bool,
    /// `--weights`: a safetensors file to start from.
    pub weights: Option<PathBuf>,
    /// `--weights-match`: which of its tensors must fit.
    pub weights_match: WeightsMatch,
    /// `--weights-names`: a JSON file that says how its tensors are called here.
    pub weights_names: Option<PathBuf>,
    /// `--freeze`: paths of what stays as it is, separated by commas.
    pub freeze: Option<String>,
    /// `--threads`; by default as many as the machine has cores.
    pub threads: Option<u64>,
    /// `--memory`: bytes that training may take; by default what the machine has.
    pub memory: Option<u64>,
    /// `--max-steps`: the run ends after so many steps, if its epochs have not before.
    pub max_steps: Option<u64>,
    /// `--log-every`: steps between lines of the log, beside one an epoch.
    pub log_every: Option<u64>,
    /// `--save-every`: wall time between checkpoints, beside one an epoch.
    #[serde(serialize_with = "as_seconds")]
    pub save_every: Duration,
    /// `--tensorboard`: whether the log is written for TensorBoard too.
    pub tensorboard: bool,
    /// `--out`: the run folder.
    #[serde(skip)]
    pub out: Option<PathBuf>,
    /// `--resume`.
    #[serde(skip)]
    pub resume: bool,
    /// `--reschedule`: a resumed run of another length goes on with the rates of that length.
    #[serde(skip)]
    pub reschedule: bool,
    /// `--force`.
    #[serde(skip)]
    pub force: bool,
    /// `--stop-on-eof`: standard input's end asks for the stop, as SIGTERM does.
    #[serde(skip)]
    pub stop_on_eof: bool,
    /// `--quiet`.
    #[serde(skip)]
    pub quiet: bool,
    /// Flags that the command line gives, so that a resumed run keeps the others as they are.
    #[serde(skip)]
    pub given: Vec<&'static str>,
}

type Row = Flag<Options>;

/// Wall time between checkpoints unless `--save-every` says otherwise.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Flags of the settings of `train { … }`, and one of the optimizer's rate.
pub const SETTINGS: &[Row] = &[
    Row::setting("data", "KIND", DATASET_LIST),
    Row::setting("epochs", "N", "Passes over the training images"),
    Row::setting("batch", "N", "Images in a step"),
    Row::setting("rate", "RATE", "Learning rate of the optimizer"),
    Row::setting("seed", "N", "Seed of every random stream"),
    Row::setting("loss", "LOSS", LOSS_LIST),
    Row::setting("init", "INIT", INIT_LIST),
    Row::setting(
        "optimizer",
        "CALL",
        "Such as 'sgd(rate: 0.1, momentum: 0.9)'",
    ),
    Row::setting("schedule", "CALL", SCHEDULE_LIST),
    Row::setting(
        "constraint",
        "CALL",
        "Such as 'lagrange(fade: 0.5, pull: 0.1)'",
    ),
];

/// Flags of the images and of how they come.
pub const IMAGES: &[Row] = &[
    Row::new(
        "data-dir",
        Value::Path("DIR"),
        "The folder of the dataset [default: in that of `vanc data list`]",
    )
    .sets(|options, value| path(&mut options.data_dir, value))
    .repeated(1, |options| shown(options.data_dir.as_deref()))
    .sweep(InSweep::HandedOn),
    Row::new(
        "order",
        Value::Choice(Order::NAMES),
        "Order of the training images",
    )
    .sets(|options, value| word(&mut options.order, value, Order::parse))
    .repeated(7, |options| {
        unless_default(options.order).map(|order| order.name().into())
    })
    .fixed()
    .sweep(InSweep::Axis),
    Row::new(
        "augment",
        Value::Choice(OnOff::NAMES),
        "Whether training images are varied as declared",
    )
    .sets(|options, value| {
        word(&mut options.augment, value, |name| {
            Ok(OnOff::parse(name)? == OnOff::On)
        })
    })
    .repeated(8, |options| {
        (!options.augment).then(|| OnOff::Off.name().into())
    })
    .fixed()
    .sweep(InSweep::Axis),
];

/// Flags of the run folder.
pub const FOLDER: &[Row] = &[
    Row::new(
        "out",
        Value::Path("DIR"),
        "The run folder [default: runs/MODEL]",
    )
    .sets(|options, value| path(&mut options.out, value)),
    Row::new(
        "resume",
        Value::Switch,
        "Go on from the last checkpoint of the run folder, which may be given as FILE",
    )
    .sets(|options, _| switch(&mut options.resume)),
    Row::new(
        "reschedule",
        Value::Switch,
        "Let --resume with other epochs change the rates of what is left",
    )
    .sets(|options, _| switch(&mut options.reschedule)),
    Row::new(
        "force",
        Value::Switch,
        "Begin again in a folder that holds a run, dropping it",
    )
    .sets(|options, _| switch(&mut options.force)),
];

/// Flags of where training begins and ends, and of how often it is written down.
pub const LENGTH: &[Row] = &[
    Row::new(
        "weights",
        Value::Path("FILE"),
        "Start from the tensors of a safetensors file",
    )
    .sets(|options, value| path(&mut options.weights, value))
    .repeated(2, |options| shown(options.weights.as_deref()))
    .sweep(InSweep::Axis),
    Row::new(
        "weights-match",
        Value::Choice(WeightsMatch::NAMES),
        "Which tensors of that file must fit the network; those that need not and do not start \
         as usual [default: all]",
    )
    .sets(|options, value| word(&mut options.weights_match, value, WeightsMatch::parse))
    .repeated(15, |options| {
        unless_default(options.weights_match).map(|which| which.name().into())
    })
    .sweep(InSweep::Axis),
    Row::new(
        "weights-names",
        Value::Path("MAP"),
        "JSON object from names in that file, or beginnings of them, to those of the network",
    )
    .sets(|options, value| path(&mut options.weights_names, value))
    .repeated(16, |options| shown(options.weights_names.as_deref()))
    .sweep(InSweep::Axis),
    Row::new(
        "freeze",
        Value::Text("PATH,…"),
        "Keep these layers or tensors as they are, and the statistics of their norms",
    )
    .sets(|options, value| word(&mut options.freeze, value, |text| Ok(Some(text.into()))))
    .repeated(17, |options| options.freeze.clone())
    .fixed()
    .sweep(InSweep::Axis),
    Row::new("max-steps", Value::Number("N"), "End after so many steps")
        .sets(|options, value| number(&mut options.max_steps, value))
        .repeated(11, |options| written(options.max_steps))
        .sweep(InSweep::Axis),
    Row::new(
        "log-every",
        Value::Number("N"),
        "Log every so many steps, beside once an epoch",
    )
    .sets(|options, value| number(&mut options.log_every, value))
    .repeated(12, |options| written(options.log_every))
    .sweep(InSweep::HandedOn),
    Row::new(
        "save-every",
        Value::Seconds,
        "Seconds between checkpoints, beside one an epoch [default: 60]",
    )
    .sets(|options, value| word(&mut options.save_every, value, save_every))
    .repeated(13, |options| {
        let seconds = options.save_every.as_secs_f64();
        (options.save_every != SAVE_EVERY).then(|| seconds.to_string())
    })
    .sweep(InSweep::HandedOn),
    Row::new(
        "tensorboard",
        Value::Switch,
        "Write the log as TensorBoard event files too",
    )
    .sets(|options, _| switch(&mut options.tensorboard))
    .repeated(14, |options| given(options.tensorboard))
    .sweep(InSweep::HandedOn),
];

/// Flags of what runs the network, and of how much of the machine that takes.
pub const MACHINE: &[Row] = &[
    Row::new(
        "threads",
        Value::Number("N"),
        "Threads to use [default: one a core]",
    )
    .sets(|options, value| number(&mut options.threads, value))
    .repeated(9, |options| written(options.threads)),
    Row::new(
        "memory",
        Value::Text("SIZE"),
        "Memory to use at most, like 4GiB [default: what the machine has]",
    )
    .sets(|options, value| {
        word(&mut options.memory, value, |text| {
            memory::parse(text).map(Some)
        })
    })
    .repeated(10, |options| written(options.memory)),
    Row::new(
        "engine",
        Value::Choice(EngineKind::NAMES),
        "What runs the network",
    )
    .sets(|options, value| word(&mut options.on.engine, value, EngineKind::parse))
    .repeated(3, |options| {
        unless_default(options.on.engine).map(|engine| engine.name().into())
    })
    .fixed()
    .sweep(InSweep::Axis),
    Row::new(
        "device",
        Value::Text("DEVICE"),
        "Where it runs: auto, cpu, cuda, or cuda:N for one of several GPUs",
    )
    .sets(|options, value| word(&mut options.on.device, value, Device::parse))
    .repeated(4, |options| {
        unless_default(options.on.device).map(Device::name)
    })
    .sweep(InSweep::Axis),
    Row::new(
        "precision",
        Value::Choice(Precision::NAMES),
        "Numbers on a GPU [default: tf32]",
    )
    .sets(|options, value| {
        word(&mut options.on.precision, value, |name| {
            Precision::parse(name).map(Some)
        })
    })
    .repeated(5, |options| {
        options
            .on
            .precision
            .map(|precision| precision.name().into())
    })
    .sweep(InSweep::Axis),
    NO_WINOGRAD,
];

/// The flag that forbids Winograd's method.
pub const NO_WINOGRAD: Row = Row::new(
    "no-winograd",
    Value::Switch,
    "Compute 3x3 convolutions by their definition: about twice the time, and a rounding \
     error of 2.6e-7 of the result (rms) instead of 9e-7",
)
.sets(|options, _| {
    options.on.winograd = false;
    Ok(())
})
.repeated(6, |options| given(!options.on.winograd))
.fixed()
.sweep(InSweep::Axis);

/// The flag that ends a run with the program that started it.
pub const STOP: &[Row] = &[Row::new(
    "stop-on-eof",
    Value::Switch,
    "Save and end when standard input ends, as with the program that started this one",
)
.sets(|options, _| switch(&mut options.stop_on_eof))];

/// The flag that silences a command.
pub const QUIET: &[Row] = &[Row::new("quiet", Value::Switch, "Print nothing but errors")
    .sets(|options, _| switch(&mut options.quiet))];

/// Groups of the flags of `vanc train`.
pub const TRAIN: &[&[Row]] = &[SETTINGS, IMAGES, FOLDER, LENGTH, MACHINE, STOP, QUIET];

fn path(part: &mut Option<PathBuf>, value: &OsStr) -> Result<()> {
    *part = Some(value.into());
    Ok(())
}

fn switch(part: &mut bool) -> Result<()> {
    *part = true;
    Ok(())
}

fn number(part: &mut Option<u64>, value: &OsStr) -> Result<()> {
    word(part, value, |text| {
        let wrong = || Error::new(format!("{text} is no whole number"));
        text.parse().map(Some).map_err(|_| wrong())
    })
}

fn word<V>(part: &mut V, value: &OsStr, parse: fn(&str) -> Result<V>) -> Result<()> {
    let text = value
        .to_str()
        .ok_or_else(|| Error::new(format!("{}: this is not UTF-8", value.shown())))?;
    *part = parse(text)?;
    Ok(())
}

fn save_every(text: &str) -> Result<Duration> {
    let seconds = text.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| {
            Error::new(format!("--save-every {text}: there is no such time"))
                .help("give seconds, 0 or more")
        })
}

fn shown(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

fn written(number: Option<u64>) -> Option<String> {
    number.map(|number| number.to_string())
}

fn given(switch: bool) -> Option<String> {
    switch.then(String::new)
}

fn unless_default<V: Default + PartialEq>(value: V) -> Option<V> {
    (value != V::default()).then_some(value)
}

fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

impl Options {
    /// Makes the default options, for `file`.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Options {
            file: file.into(),
            overrides: Overrides::default(),
            data_dir: None,
            on: Wanted::default(),
            order: Order::default(),
            augment: true,
            weights: None,
            weights_match: WeightsMatch::default(),
            weights_names: None,
            freeze: None,
            threads: None,
            memory: None,
            max_steps: None,
            log_every: None,
            save_every: SAVE_EVERY,
            tensorboard: false,
            out: None,
            resume: false,
            reschedule: false,
            force: false,
            stop_on_eof: false,
            quiet: false,
            given: Vec::new(),
        }
    }

    /// Lists the flags of `vanc train` that are not settings.
    pub fn flags() -> impl Iterator<Item = &'static Row> {
        let flags = TRAIN.iter().copied().flatten();
        flags.filter(|flag| matches!(flag.target, Target::Part(_)))
    }

    /// Refuses values that mean nothing.
    ///
    /// # Errors
    /// Where a count is 0, or flags contradict one another.
    pub fn check(&self) -> Result<()> {
        if self.log_every == Some(0) {
            return Err(Error::new("--log-every 0: there must be at least one step")
                .help("leave --log-every out to log once an epoch"));
        }
        if self.max_steps == Some(0) {
            return Err(Error::new("--max-steps 0: there must be at least one step"));
        }
        let of_weights = [
            ("weights-names", self.weights_names.is_some()),
            ("weights-match", self.weights_match != WeightsMatch::All),
        ];
        if let Some((name, _)) = of_weights.iter().find(|(_, given)| *given)
            && self.weights.is_none()
        {
            return Err(Error::new(format!(
                "--{name} is about a file of weights, and none is named"
            ))
            .help("give --weights FILE beside it, or leave it out"));
        }
        if self.reschedule && !self.resume {
            return Err(
                Error::new("--reschedule changes the rates of a run that goes on")
                    .help("give --resume beside it, or leave it out"),
            );
        }
        if self.resume && self.force {
            return Err(
                Error::new("--resume goes on with a run and --force drops it").help(
                    "give --resume to go on from its last checkpoint, or --force to begin again",
                ),
            );
        }
        Ok(())
    }

    /// Takes over the value that a run has of `flag`, unless the command line gives another.
    ///
    /// # Errors
    /// Where the flag has no such value.
    pub fn keep(&mut self, flag: &Row, value: &OsStr) -> Result<()> {
        let says = |repeat: &Repeat<Options>| (repeat.value)(self).is_some();
        let is_given = self.given.contains(&flag.name) || flag.repeat.as_ref().is_some_and(says);
        match flag.target {
            Target::Part(set) if !is_given => set(self, value),
            Target::Part(_) | Target::Own | Target::Setting => Ok(()),
        }
    }

    /// Writes the command that gives these options, quoted for a shell.
    pub fn command(&self) -> String {
        let overrides = self.overrides.params.iter().chain(&self.overrides.settings);
        let mut flags: Vec<(&str, Option<String>)> = overrides
            .map(|(name, value)| (name.as_str(), Some(value.clone())))
            .collect();
        let repeats = Options::flags().filter_map(|flag| Some((flag, flag.repeat.as_ref()?)));
        let mut repeats: Vec<(&Row, &Repeat<Options>)> = repeats.collect();
        repeats.sort_by_key(|(_, repeat)| repeat.place);
        flags.extend(repeats.into_iter().filter_map(|(flag, repeat)| {
            let value = (repeat.value)(self)?;
            Some((flag.name, (flag.value != Value::Switch).then_some(value)))
        }));
        let file = self.file.display().to_string();
        let mut words = vec!["vanc".to_string(), "train".into(), file];
        for (name, value) in flags {
            match value {
                // `--name -1` would read as two flags.
                Some(value) if value.starts_with('-') => words.push(format!("--{name}={value}")),
                value => {
                    words.push(format!("--{name}"));
                    words.extend(value);
                }
            }
        }
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        quoted.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_repeats_what_was_given_and_nothing_else() {
        let mut options = Options::new("a b.van");
        assert_eq!(options.command(), "vanc train 'a b.van'");
        options.overrides.params = vec![("n".into(), "6".into()), ("bias".into(), "-2".into())];
        options.overrides.settings = vec![("optimizer".into(), "sgd(rate: 0.1)".into())];
        options.augment = false;
        options.order = Order::Sequential;
        options.max_steps = Some(5);
        options.save_every = Duration::from_millis(1500);
        options.tensorboard = true;
        assert_eq!(
            options.command(),
            "vanc train 'a b.van' --n 6 --bias=-2 --optimizer 'sgd(rate: 0.1)' --order sequential \
             --augment off --max-steps 5 --save-every 1.5 --tensorboard"
        );
    }

    #[test]
    fn values_that_mean_nothing_are_refused() {
        let refusal = |change: fn(&mut Options)| {
            let mut options = Options::new("x.van");
            change(&mut options);
            options.check().unwrap_err().message
        };
        assert!(refusal(|o| o.log_every = Some(0)).contains("--log-every"));
        assert!(refusal(|o| o.max_steps = Some(0)).contains("--max-steps"));
        assert!(refusal(|o| (o.resume, o.force) = (true, true)).contains("--resume"));
    }

    /// Checks that a flag is repeated where it says anything, and that every place is one flag's.
    #[test]
    fn repeated_flags_have_places_of_their_own() {
        let repeats: Vec<_> = Options::flags().filter_map(|f| f.repeat.as_ref()).collect();
        let mut places: Vec<u8> = repeats.iter().map(|repeat| repeat.place).collect();
        places.sort_unstable();
        assert!(
            places.windows(2).all(|pair| pair[0] < pair[1]),
            "{places:?}"
        );
        let options = Options::new("x.van");
        assert!(
            repeats
                .iter()
                .all(|repeat| (repeat.value)(&options).is_none())
        );
    }

    #[test]
    fn fixed_flags_are_keys_of_the_settings() {
        let settings = serde_json::to_value(Options::new("x.van")).unwrap();
        for flag in Options::flags().filter(|flag| flag.fixed) {
            assert!(settings.get(flag.key()).is_some(), "{}", flag.name);
        }
    }
}
