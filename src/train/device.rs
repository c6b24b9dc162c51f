//! Choice of the device that a network runs on, and of the engine there.

use crate::engines::cpu::Cpu;
use crate::engines::cuda;
use crate::engines::{self, Engine};
use crate::error::{Error, Result};
use crate::flags::{Device, EngineKind, Precision, Wanted};
use crate::ir::Model;
use crate::memory;
use crate::plan::Purpose;
use crate::tensor::Tensor;
use crate::world::World;

/// More threads than this are taken for a slip of the hand.
const MOST_THREADS: u64 = 1024;

/// An engine on a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Runner {
    /// The compiled engine on the CPU.
    Cpu(Cpu),
    /// The compiled engine on a GPU.
    Cuda(cuda::Card, Precision),
    /// The reference on the CPU.
    Dfdx,
    /// The reference on a GPU.
    #[cfg(feature = "dfdx-cuda")]
    DfdxCuda(cuda::Card),
}

/// Device and engine that were chosen, and what the user may want to know of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Engine and device.
    pub runner: Runner,
    /// Why it is not the GPU that is there.
    pub note: Option<String>,
}

impl From<Runner> for Choice {
    fn from(runner: Runner) -> Choice {
        Choice { runner, note: None }
    }
}

/// Sets the size of the pool that every engine and the data preparation share, to be
/// done once, before anything uses it; `None` leaves a thread a core.
///
/// # Errors
/// Where there cannot be so many threads.
pub fn use_threads(threads: Option<u64>) -> Result<()> {
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
        .num_threads(threads as usize)
        .build_global()
        .map_err(|e| Error::new(format!("--threads {threads}: {e}")))
}

/// Finds what is `wanted` for one of the processes of a `world`: the GPU of its number on the host.
pub(super) fn choose_in(world: &World, wanted: Wanted) -> Result<(cuda::Card, Precision)> {
    let refused = |what: &str| {
        Error::new(format!(
            "{what}: {} processes (WORLD_SIZE) train one network on GPUs alone",
            world.size
        ))
        .help("give --device cuda, or set WORLD_SIZE=1 and RANK=0 to train in one process")
    };
    match (wanted.engine, wanted.device) {
        (EngineKind::Compiled, Device::Auto | Device::Cuda(None)) => {}
        (EngineKind::Compiled, Device::Cuda(Some(_))) => {
            return Err(Error::new(format!(
                "--device {}: each of the {} processes (WORLD_SIZE) takes the GPU of its own \
                 number on the host (LOCAL_RANK)",
                wanted.device.name(),
                world.size
            ))
            .help("give --device cuda; CUDA_VISIBLE_DEVICES says which GPUs there are"));
        }
        (EngineKind::Compiled, Device::Cpu) => return Err(refused("--device cpu")),
        (EngineKind::Cpu | EngineKind::Dfdx, _) => {
            return Err(refused(&format!("--engine {}", wanted.engine.name())));
        }
    }
    // Starters may show each process its own GPU alone.
    let ordinal = match cuda::count() {
        Ok(1) => 0,
        Ok(_) | Err(_) => world.local,
    };
    let card = cuda::usable(Some(ordinal)).map_err(|missing| {
        Error::new(format!(
            "{} processes (WORLD_SIZE) need a GPU each: {}",
            world.size,
            Error::from(missing).message
        ))
        .help("start as many processes on a host as it has GPUs")
    })?;
    cuda::Library::Nccl.load()?;
    Ok((card, wanted.precision.unwrap_or_default()))
}

/// Finds what is `wanted`. `auto` takes a GPU where there is one that can be used, and
/// does not fail where there is none.
///
/// # Errors
/// Where the device is not there, or cannot do what is wanted of it.
pub fn choose(wanted: Wanted) -> Result<Choice> {
    let choice = find(wanted)?;
    let has_choice = matches!(choice.runner, Runner::Cuda(..));
    match wanted.precision {
        Some(precision @ (Precision::Tf32 | Precision::Bf16)) if !has_choice => {
            Err(Error::new(format!(
                "--precision {}: what runs the network here computes in f32 alone",
                precision.name()
            ))
            .help("leave --precision out, or run the compiled engine on a GPU"))
        }
        Some(_) | None => Ok(choice),
    }
}

fn find(wanted: Wanted) -> Result<Choice> {
    let Wanted { engine, device, .. } = wanted;
    let precision = wanted.precision.unwrap_or_default();
    let cpu = Runner::Cpu(Cpu::here().with_winograd(wanted.winograd));
    let choice = Choice::from;
    match (engine, device) {
        (EngineKind::Compiled, Device::Cpu) => Ok(choice(cpu)),
        (EngineKind::Cpu, Device::Cpu | Device::Auto) => Ok(choice(cpu)),
        (EngineKind::Cpu, Device::Cuda(_)) => Err(Error::new(format!(
            "--engine cpu --device {}: this is the compiled engine on the CPU",
            device.name()
        ))
        .help("leave --engine out to run the compiled engine on the GPU")),
        (EngineKind::Compiled, Device::Auto) => Ok(match cuda::usable(None) {
            Ok(card) => choice(Runner::Cuda(card, precision)),
            Err(cuda::Missing::Hardware(_)) => choice(cpu),
            Err(cuda::Missing::Unusable(error)) => Choice {
                runner: cpu,
                note: Some(format!("running on the CPU: {error}")),
            },
        }),
        (EngineKind::Compiled, Device::Cuda(ordinal)) => {
            let card = cuda::usable(ordinal).map_err(|missing| {
                let error = Error::from(missing);
                Error {
                    message: format!("--device {}: {}", device.name(), error.message),
                    help: error.help,
                }
            })?;
            Ok(choice(Runner::Cuda(card, precision)))
        }
        (EngineKind::Dfdx, Device::Cpu | Device::Auto) => {
            engines::dfdx::check_built()?;
            Ok(choice(Runner::Dfdx))
        }
        #[cfg(feature = "dfdx-cuda")]
        (EngineKind::Dfdx, Device::Cuda(ordinal)) => {
            let card = cuda::usable(ordinal).map_err(Error::from)?;
            Ok(choice(Runner::DfdxCuda(card)))
        }
        #[cfg(not(feature = "dfdx-cuda"))]
        (EngineKind::Dfdx, Device::Cuda(_)) => Err(Error::new(format!(
            "--engine dfdx --device {}: this build has dfdx for the CPU alone",
            device.name()
        ))
        .help(
            "leave --engine out to run the compiled engine on the GPU, or build vanc with \
             the feature dfdx-cuda (benches/dfdx-cuda.sh)",
        )),
    }
}

impl Runner {
    /// Returns the card that the network is on, if it is on one.
    pub fn card(&self) -> Option<&cuda::Card> {
        match self {
            Runner::Cpu(_) | Runner::Dfdx => None,
            Runner::Cuda(card, _) => Some(card),
            #[cfg(feature = "dfdx-cuda")]
            Runner::DfdxCuda(card) => Some(card),
        }
    }

    /// Makes the engine in the state `tensors`.
    ///
    /// # Errors
    /// Where the device has no room, or its libraries fail.
    pub fn build(&self, model: &Model, tensors: &[Tensor]) -> Result<Box<dyn Engine>> {
        match self {
            Runner::Cpu(cpu) => engines::cpu::cpu(model, tensors, *cpu),
            Runner::Cuda(card, precision) => cuda::engine(card, *precision, model, tensors),
            Runner::Dfdx => engines::dfdx::cpu(model, tensors),
            #[cfg(feature = "dfdx-cuda")]
            Runner::DfdxCuda(card) => engines::dfdx::cuda(model, tensors, card.ordinal),
        }
    }

    /// Makes the engine in the state `tensors`, to compute logits: it keeps nothing for training.
    ///
    /// # Errors
    /// As of [`Runner::build`].
    pub fn build_to_evaluate(&self, model: &Model, tensors: &[Tensor]) -> Result<Box<dyn Engine>> {
        match self {
            Runner::Cpu(cpu) => engines::cpu::to_evaluate(model, tensors, *cpu),
            Runner::Cuda(card, precision) => cuda::to_evaluate(card, *precision, model, tensors),
            // Its gradients come with its tape, and there is none.
            Runner::Dfdx => self.build(model, tensors),
            #[cfg(feature = "dfdx-cuda")]
            Runner::DfdxCuda(_) => self.build(model, tensors),
        }
    }

    /// Computes the bytes that steps with batches of `images` take where the network runs.
    ///
    /// # Errors
    /// Where no plan can be made for batches of that size.
    pub fn needed_memory(&self, model: &Model, images: usize, purpose: Purpose) -> Result<f64> {
        match self {
            Runner::Cpu(cpu) => engines::cpu::memory(model, images, purpose, *cpu),
            Runner::Cuda(_, precision) => cuda::memory(model, images, purpose, *precision),
            Runner::Dfdx => Ok(engines::dfdx::memory(model, images)),
            #[cfg(feature = "dfdx-cuda")]
            Runner::DfdxCuda(_) => Ok(engines::dfdx::memory(model, images)),
        }
    }

    /// Refuses a batch that the memory there cannot hold, or that takes more than
    /// `limit` bytes.
    ///
    /// # Errors
    /// With the largest batch that fits.
    pub fn check_memory(
        &self,
        model: &Model,
        batch: usize,
        purpose: Purpose,
        limit: Option<u64>,
    ) -> Result<()> {
        let needed = |images| self.needed_memory(model, images, purpose);
        let limit = match (self.card(), limit) {
            // What others use of a card is found when memory is asked for.
            (Some(card), None) => Some(card.memory as u64),
            (Some(card), Some(limit)) => Some(limit.min(card.memory as u64)),
            (None, limit) => limit,
        };
        memory::check(&needed, batch, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(device: Device, precision: Option<Precision>) -> Wanted {
        Wanted {
            engine: EngineKind::Compiled,
            device,
            precision,
            ..Wanted::default()
        }
    }

    #[test]
    fn auto_finds_something_wherever_it_is() {
        assert!(choose(Wanted::default()).is_ok());
        let dfdx = Wanted {
            engine: EngineKind::Dfdx,
            ..Wanted::default()
        };
        assert_eq!(choose(dfdx).unwrap().runner, Runner::Dfdx);
    }

    #[test]
    fn a_card_that_is_not_there_is_refused_by_name() {
        let refused = choose(wanted(Device::Cuda(Some(9999)), None)).unwrap_err();
        assert!(
            refused.message.contains("--device cuda:9999: "),
            "{refused}"
        );
        assert!(refused.help.is_some());
    }

    #[test]
    fn the_engine_on_the_cpu_stays_there() {
        let cpu = |device| {
            let engine = EngineKind::Cpu;
            choose(Wanted {
                engine,
                ..wanted(device, None)
            })
        };
        assert!(matches!(cpu(Device::Auto).unwrap().runner, Runner::Cpu(_)));
        let refused = cpu(Device::Cuda(None)).unwrap_err();
        assert!(
            refused.message.contains("--engine cpu --device cuda"),
            "{refused}"
        );
    }

    #[test]
    fn the_cpu_has_one_precision() {
        let on_cpu = |precision| choose(wanted(Device::Cpu, precision));
        assert!(matches!(on_cpu(None).unwrap().runner, Runner::Cpu(_)));
        assert!(on_cpu(Some(Precision::F32)).is_ok());
        let refused = on_cpu(Some(Precision::Bf16)).unwrap_err();
        assert!(refused.message.contains("--precision bf16"), "{refused}");
    }
}
