//! What the command line says of a run beside the model.

use crate::text::quote;

use crate::engines::cpu::Cpu;
use crate::engines::cuda::Precision;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What runs the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// The compiled one: a plan of fused steps on one arena, on the CPU or a GPU.
    #[default]
    Compiled,
    /// The same, on the CPU wherever there is a GPU.
    Cpu,
    /// The reference: dfdx's tensors, tape and SGD.
    Dfdx,
}

/// Where the network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// A GPU that can run the network, where there is one; else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU: the one of this number, or the first.
    Cuda(Option<usize>),
}

/// The order of the training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Another one each epoch, from the seed.
    #[default]
    Shuffled,
    /// That of the files.
    Sequential,
}

impl EngineKind {
    /// What `--engine` takes.
    pub const NAMES: [&str; 3] = ["compiled", "cpu", "dfdx"];

    /// The engine called `name`.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "compiled" => Ok(EngineKind::Compiled),
            "cpu" => Ok(EngineKind::Cpu),
            "dfdx" => Ok(EngineKind::Dfdx),
            _ => Err(unknown("--engine", name, &Self::NAMES)),
        }
    }

    /// What `--engine` calls it.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Compiled => "compiled",
            EngineKind::Cpu => "cpu",
            EngineKind::Dfdx => "dfdx",
        }
    }
}

impl Device {
    /// What `--device` takes.
    pub const NAMES: [&str; 4] = ["auto", "cpu", "cuda", "cuda:N"];

    /// The device called `name`.
    pub fn parse(name: &str) -> Result<Self> {
        let number = |text: &str| text.strip_prefix("cuda:")?.parse().ok();
        match name {
            "auto" => Ok(Device::Auto),
            "cpu" => Ok(Device::Cpu),
            "cuda" => Ok(Device::Cuda(None)),
            _ => match number(name) {
                Some(ordinal) => Ok(Device::Cuda(Some(ordinal))),
                None => Err(unknown("--device", name, &Self::NAMES)),
            },
        }
    }

    /// What `--device` calls it.
    pub fn name(self) -> String {
        match self {
            Device::Auto => "auto".into(),
            Device::Cpu => "cpu".into(),
            Device::Cuda(None) => "cuda".into(),
            Device::Cuda(Some(ordinal)) => format!("cuda:{ordinal}"),
        }
    }
}

impl Order {
    /// What `--order` takes.
    pub const NAMES: [&str; 2] = ["shuffled", "sequential"];

    /// The order called `name`.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "shuffled" => Ok(Order::Shuffled),
            "sequential" => Ok(Order::Sequential),
            _ => Err(unknown("--order", name, &Self::NAMES)),
        }
    }

    /// What `--order` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Order::Shuffled => "shuffled",
            Order::Sequential => "sequential",
        }
    }
}

fn unknown(flag: &str, name: &str, names: &[&str]) -> Error {
    Error::new(format!("{flag} {name}: there is no such choice"))
        .help(format!("give one of {}", names.join(", ")))
}

/// Flags that change the model: each a name without dashes and the value as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// Those of the file's params.
    pub params: Vec<(String, String)>,
    /// Those of train settings.
    pub settings: Vec<(String, String)>,
}

/// Everything of a run that is not in [`crate::ir::Model`].
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The `.van` file, as it was named.
    pub file: PathBuf,
    /// What flags changed in the model. It is in the model already; checkpoints and
    /// printed commands repeat it.
    pub overrides: Overrides,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--threads`; by default as many as the machine has cores.
    pub threads: Option<usize>,
    /// `--memory`: bytes that training may take; by default what the machine has.
    pub memory: Option<u64>,
    /// `--engine`.
    pub engine: EngineKind,
    /// `--device`.
    pub device: Device,
    /// Without `--no-winograd`.
    pub winograd: bool,
    /// `--precision`; by default what the device does best.
    pub precision: Option<Precision>,
    /// `--out`: the run folder.
    pub out: Option<PathBuf>,
    /// `--weights`: a safetensors file to start from.
    pub weights: Option<PathBuf>,
    /// `--order`.
    pub order: Order,
    /// `--augment`: whether training images are varied as the file says.
    pub augment: bool,
    /// `--max-steps`: the run ends after so many steps, if its epochs have not before.
    pub max_steps: Option<u64>,
    /// `--log-every`: steps between lines of the log, beside one an epoch.
    pub log_every: Option<u64>,
    /// `--save-every`: wall time between checkpoints, beside one an epoch.
    pub save_every: Duration,
    /// `--tensorboard`: whether the log is written for TensorBoard too.
    pub tensorboard: bool,
    /// `--resume`.
    pub resume: bool,
    /// `--force`.
    pub force: bool,
    /// `--stop-on-eof`: standard input's end asks for the stop, as SIGTERM does.
    pub stop_on_eof: bool,
    /// `--quiet`.
    pub quiet: bool,
}

/// Wall time between checkpoints unless `--save-every` says otherwise.
pub const SAVE_EVERY: Duration = Duration::from_secs(60);

impl Options {
    /// The defaults, for `file`.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Options {
            file: file.into(),
            overrides: Overrides::default(),
            data_dir: None,
            threads: None,
            memory: None,
            engine: EngineKind::default(),
            device: Device::default(),
            winograd: true,
            precision: None,
            out: None,
            weights: None,
            order: Order::default(),
            augment: true,
            max_steps: None,
            log_every: None,
            save_every: SAVE_EVERY,
            tensorboard: false,
            resume: false,
            force: false,
            stop_on_eof: false,
            quiet: false,
        }
    }

    /// What the CPU engine must know.
    pub fn cpu(&self) -> Cpu {
        Cpu::here().with_winograd(self.winograd)
    }

    /// Refuses values that mean nothing.
    pub fn check(&self) -> Result<()> {
        if self.log_every == Some(0) {
            return Err(Error::new("--log-every 0: there must be at least one step")
                .help("leave --log-every out to log once an epoch"));
        }
        if self.max_steps == Some(0) {
            return Err(Error::new("--max-steps 0: there must be at least one step"));
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

    /// The command that gives these options, quoted for a shell; with `resume`, the one
    /// that goes on with the run in that folder.
    pub fn command(&self, resume: Option<&Path>) -> String {
        let mut words = vec!["vanc".to_string(), "train".into(), shown(&self.file)];
        let mut flag = |name: &str, value: Option<String>| match value {
            // `--name -1` would read as two flags.
            Some(value) if value.starts_with('-') => words.push(format!("--{name}={value}")),
            value => {
                words.push(format!("--{name}"));
                words.extend(value);
            }
        };
        for (name, value) in self.overrides.params.iter().chain(&self.overrides.settings) {
            flag(name, Some(value.clone()));
        }
        let paths = [("data-dir", &self.data_dir), ("weights", &self.weights)];
        for (name, path) in paths {
            if let Some(path) = path {
                flag(name, Some(shown(path)));
            }
        }
        if self.engine != EngineKind::default() {
            flag("engine", Some(self.engine.name().into()));
        }
        if self.device != Device::default() {
            flag("device", Some(self.device.name()));
        }
        if let Some(precision) = self.precision {
            flag("precision", Some(precision.name().into()));
        }
        if !self.winograd {
            flag("no-winograd", None);
        }
        if self.order != Order::default() {
            flag("order", Some(self.order.name().into()));
        }
        if !self.augment {
            flag("augment", Some("off".into()));
        }
        let numbers = [
            ("threads", self.threads.map(|n| n as u64)),
            ("memory", self.memory),
            ("max-steps", self.max_steps),
            ("log-every", self.log_every),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                flag(name, Some(number.to_string()));
            }
        }
        if self.save_every != SAVE_EVERY {
            flag(
                "save-every",
                Some(self.save_every.as_secs_f64().to_string()),
            );
        }
        if self.tensorboard {
            flag("tensorboard", None);
        }
        if let Some(folder) = resume {
            flag("out", Some(shown(folder)));
            flag("resume", None);
        }
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        quoted.join(" ")
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_repeats_what_was_given_and_nothing_else() {
        let mut options = Options::new("a b.van");
        assert_eq!(options.command(None), "vanc train 'a b.van'");
        options.overrides.params = vec![("n".into(), "6".into()), ("bias".into(), "-2".into())];
        options.overrides.settings = vec![("optimizer".into(), "sgd(rate: 0.1)".into())];
        options.augment = false;
        options.order = Order::Sequential;
        options.max_steps = Some(5);
        options.save_every = Duration::from_millis(1500);
        options.tensorboard = true;
        assert_eq!(
            options.command(Some(Path::new("runs/it's"))),
            "vanc train 'a b.van' --n 6 --bias=-2 --optimizer 'sgd(rate: 0.1)' --order sequential \
             --augment off --max-steps 5 --save-every 1.5 --tensorboard --out 'runs/it'\\''s' --resume"
        );
    }

    #[test]
    fn values_that_mean_nothing_are_refused() {
        let with = |change: fn(&mut Options)| {
            let mut options = Options::new("x.van");
            change(&mut options);
            options.check().unwrap_err().message
        };
        assert!(with(|o| o.log_every = Some(0)).contains("--log-every"));
        assert!(with(|o| o.max_steps = Some(0)).contains("--max-steps"));
        assert!(with(|o| (o.resume, o.force) = (true, true)).contains("--resume"));
        for name in EngineKind::NAMES {
            assert_eq!(EngineKind::parse(name).unwrap().name(), name);
        }
        for name in Order::NAMES {
            assert_eq!(Order::parse(name).unwrap().name(), name);
        }
        for name in ["auto", "cpu", "cuda", "cuda:0", "cuda:17"] {
            assert_eq!(Device::parse(name).unwrap().name(), name);
        }
        for name in [
            "cuda:",
            "cuda:x",
            "cuda:-1",
            "gpu",
            "cuda:99999999999999999999",
        ] {
            assert!(Device::parse(name).is_err(), "{name}");
        }
        assert!(EngineKind::parse("jax").is_err());
    }
}
