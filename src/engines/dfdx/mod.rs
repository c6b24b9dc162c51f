//! The reference engine: a model lowered operation by operation to dfdx, differentiated
//! by its tape and updated by its SGD.
//!
//! dfdx 0.13 has no convolution on stable Rust, so windows are gathered into the rows
//! of a matrix and multiplied with the weights. Activations have their channels last
//! throughout; PyTorch's layouts appear only where tensors are loaded and saved. Only
//! operations that dfdx has on every device are used, so the engine runs on any. It is
//! made to be right and clear, and to be what other engines are held against.

mod backend;
mod equation;
mod memory;
mod ops;
mod parameters;
mod pass;
mod pool;
mod windows;

pub use self::backend::Backend;
use self::backend::{Matrix, Scalar, device_failed, number};
pub use self::memory::memory;
use self::parameters::{Parameters, to_f32};
use self::pass::{ForwardPass, Mode, Statistics, Watch};
use self::windows::Windows;
use super::skips::Skips;
use super::state::State;
use super::{Engine, Outcome, SkipState, StepContext, batch};
use crate::error::Result;
use crate::ir::{Loss, Model, Role, TensorSpec};
use crate::tensor::{Batch, Tensor};
use dfdx::dtypes::Dtype;
use dfdx::shapes::Axis;
use dfdx::tensor::{Cpu, Gradients, NoneTape, OwnedTape, PutTape, Tape};
use dfdx::tensor_ops::{Backward, MeanTo, SelectTo};

/// A network on a dfdx device, in numbers of type E.
pub struct DfdxEngine<E: Dtype, D: Backend<E>> {
    name: String,
    device: D,
    model: Model,
    specs: Vec<TensorSpec>,
    parameters: Parameters<E, D>,
    skips: Skips,
    windows: Windows<D>,
    /// Images of the last batch, for which the device keeps memory.
    last_images: usize,
}

/// Tells whether this build has the engine; one without the feature `dfdx` says no.
///
/// # Errors
/// None.
pub fn check_built() -> Result<()> {
    Ok(())
}

/// Starts `model` in single precision on the CPU from `tensors` (see [`Engine::load`];
/// [`super::init::initial`] makes them).
///
/// # Errors
/// If a tensor is missing, unknown, there twice or of another shape, or memory runs out.
pub fn cpu(model: &Model, tensors: &[Tensor]) -> Result<Box<dyn Engine>> {
    let engine = DfdxEngine::<f32, Cpu>::new("dfdx (CPU)", Cpu::default(), model, tensors)?;
    Ok(Box::new(engine))
}

/// Starts `model` in single precision on the GPU number `ordinal`, by dfdx's own kernels.
///
/// # Errors
/// If there is no such GPU, a tensor is missing, unknown, there twice or of another
/// shape, or memory runs out.
#[cfg(feature = "dfdx-cuda")]
pub fn cuda(model: &Model, tensors: &[Tensor], ordinal: usize) -> Result<Box<dyn Engine>> {
    // dfdx's random numbers are not used: the seed is of no matter.
    let device = dfdx::tensor::Cuda::try_build(ordinal, 0).map_err(device_failed)?;
    let engine = DfdxEngine::<f32, _>::new("dfdx (CUDA)", device, model, tensors)?;
    Ok(Box::new(engine))
}

impl<E: Dtype, D: Backend<E>> DfdxEngine<E, D> {
    /// Starts `model` on `device`, called `name` in logs, from `tensors` (see
    /// [`Engine::load`]). The device keeps freed memory for the next step until the
    /// engine is dropped.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, there twice or of another shape, or the device fails.
    pub fn new(name: &str, device: D, model: &Model, tensors: &[Tensor]) -> Result<Self> {
        device.try_enable_cache().map_err(device_failed)?;
        let specs = model.tensors();
        let state = State::read(&specs, tensors)?;
        let parameters = Parameters::new(&device, model, &specs, &state)?;
        let skips = Skips::read(model, &specs, &state);
        Ok(DfdxEngine {
            name: name.to_string(),
            device,
            model: model.clone(),
            specs,
            parameters,
            skips,
            windows: Windows::new(),
            last_images: 0,
        })
    }

    /// Checks a batch against the model, and lets go of memory kept for batches of
    /// another size.
    fn validate(&mut self, batch: &Batch) -> Result<()> {
        batch::validate(&self.model, batch)?;
        if self.last_images != batch.len() {
            self.device.try_empty_cache().map_err(device_failed)?;
            self.last_images = batch.len();
        }
        Ok(())
    }

    /// Runs the model on the tape T, and gives the logits, one row an image.
    fn forward<T: Tape<E, D>>(
        &mut self,
        images: &[f32],
        mode: Mode,
        watch: Watch,
    ) -> Result<Forward<E, D, T>> {
        let elements = self.model.input.elements();
        let mut pass = ForwardPass {
            device: &self.device,
            parameters: &self.parameters,
            windows: &mut self.windows,
            images: images.len() / elements.max(1),
            mode,
            statistics: Vec::new(),
            watch,
        };
        let rows = pass.images * self.model.input.positions();
        let pixels = images.iter().map(|&x| number(f64::from(x))).collect();
        let x = self
            .device
            .try_tensor_from_vec(pixels, (rows, self.model.input.channels()))
            .map_err(device_failed)?;
        let y = pass.layers(&self.model.layers, x.put_tape(T::default()))?;
        let logits = pass.flatten(self.model.output, y)?;
        Ok(Forward {
            logits,
            statistics: pass.statistics,
            watch: pass.watch,
        })
    }

    /// Computes loss, gradients and batch statistics of a step in training mode. There
    /// are no gradients where the loss is not finite.
    fn differentiate(&mut self, batch: &Batch, at: StepContext) -> Result<Differentiated<E, D>> {
        self.validate(batch)?;
        let mode = Mode::Training {
            seed: at.seed,
            step: at.step,
        };
        let forward = self.forward::<OwnedTape<E, D>>(&batch.images, mode, Watch::Off)?;
        let classes = self.model.output.elements();
        let correct = correct(&forward.logits.as_vec(), classes, &batch.labels);
        let loss = match self.model.train.loss {
            Loss::CrossEntropy => cross_entropy(forward.logits, &batch.labels)?,
        };
        let value = loss.as_vec().first().and_then(E::to_f64);
        let value = value.unwrap_or(f64::NAN);
        let gradients = if value.is_finite() {
            Some(loss.try_backward().map_err(device_failed)?)
        } else {
            None
        };
        Ok(Differentiated {
            outcome: Outcome {
                loss: value,
                correct,
            },
            gradients,
            statistics: forward.statistics,
        })
    }

    /// Collects ∂C/∂w of the parameters with a role that `wanted` names, in forward order.
    fn collect(
        &self,
        gradients: &mut Gradients<E, D>,
        wanted: fn(Role) -> bool,
    ) -> Result<Vec<Tensor>> {
        let wanted = self.parameters.iter().filter(|p| wanted(p.spec.role));
        let tensors = wanted.map(|parameter| {
            // One that the loss does not depend on has none yet: it gets zeros.
            gradients
                .get_or_alloc_mut(&parameter.value)
                .map_err(device_failed)?;
            Ok(named(&parameter.spec, parameter.gradient(gradients)))
        });
        tensors.collect()
    }

    /// Moves the running statistics of every batch norm.
    fn move_statistics(&mut self, found: Vec<Statistics<E, D>>) -> Result<()> {
        for statistics in found {
            let Statistics {
                path,
                momentum,
                mean,
                variance,
            } = statistics;
            for (name, new) in [("running_mean", mean), ("running_var", variance)] {
                let old = self.parameters.get(&path, name)?.clone();
                let moved = ops::blend(old, new, momentum).map_err(device_failed)?;
                self.parameters.set_row(&path, name, moved);
            }
        }
        Ok(())
    }

    /// Puts the multipliers' α on the device.
    fn place_alphas(&mut self) -> Result<()> {
        for (name, skip) in self.skips.iter() {
            self.parameters.set(name, &skip.alpha)?;
        }
        Ok(())
    }
}

/// Results of a forward pass.
struct Forward<E: Dtype, D: Backend<E>, T> {
    logits: Matrix<E, D, T>,
    statistics: Vec<Statistics<E, D>>,
    watch: Watch,
}

/// Results of a forward and a backward pass.
struct Differentiated<E: Dtype, D: Backend<E>> {
    outcome: Outcome,
    gradients: Option<Gradients<E, D>>,
    statistics: Vec<Statistics<E, D>>,
}

impl<E: Dtype, D: Backend<E>> Engine for DfdxEngine<E, D> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn step(&mut self, batch: &Batch, at: StepContext) -> Result<Outcome> {
        let Differentiated {
            outcome,
            gradients,
            statistics,
        } = self.differentiate(batch, at)?;
        if let Some(mut gradients) = gradients {
            let alphas = self.collect(&mut gradients, |role| role == Role::Alpha)?;
            let optimizer = &self.model.train.optimizer;
            self.parameters.update(optimizer, at.rate, &mut gradients)?;
            self.move_statistics(statistics)?;
            let alphas: Vec<_> = alphas.into_iter().map(|tensor| tensor.data).collect();
            self.skips.multipliers.step(at.rate, &alphas);
            self.place_alphas()?;
        }
        Ok(outcome)
    }

    fn end_epoch(&mut self, rate: f64) -> Result<()> {
        self.skips.multipliers.end_epoch(rate);
        self.place_alphas()
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        self.validate(batch)?;
        let forward = self.forward::<NoneTape>(&batch.images, Mode::Evaluation, Watch::Off)?;
        Ok(forward.logits.as_vec().iter().map(to_f32).collect())
    }

    fn gradients(&mut self, batch: &Batch, at: StepContext) -> Result<(Outcome, Vec<Tensor>)> {
        let found = self.differentiate(batch, at)?;
        let mut gradients = found.gradients.unwrap_or_else(Gradients::leaky);
        let tensors = self.collect(&mut gradients, Role::is_parameter)?;
        Ok((found.outcome, tensors))
    }

    fn first_non_finite(&mut self, batch: &Batch, at: StepContext) -> Result<Option<String>> {
        self.validate(batch)?;
        let mode = Mode::Training {
            seed: at.seed,
            step: at.step,
        };
        let forward = self.forward::<NoneTape>(&batch.images, mode, Watch::Clean)?;
        match forward.watch {
            Watch::Found(path) => Ok(Some(path)),
            Watch::Clean | Watch::Off => Ok(None),
        }
    }

    fn skips(&self) -> Result<Vec<SkipState>> {
        Ok(self.skips.states())
    }

    fn save(&self) -> Result<Vec<Tensor>> {
        let mut on_device = self.parameters.iter();
        let mut skips = self.skips.multipliers.skips.iter();
        let mut tensors = Vec::new();
        for spec in &self.specs {
            let data = match spec.role {
                Role::Multiplier => skips.next().map(|skip| skip.lambda.clone()),
                Role::Weight
                | Role::Bias
                | Role::Alpha
                | Role::Coefficient
                | Role::DiracA
                | Role::DiracB
                | Role::RunningMean
                | Role::RunningVar => on_device.next().map(|parameter| parameter.host()),
            };
            tensors.extend(data.map(|data| named(spec, data)));
        }
        for (index, slot) in self.model.train.optimizer.slots().iter().enumerate() {
            for parameter in self.parameters.iter() {
                let kept = self.parameters.kept(index, parameter);
                tensors.extend(kept.map(|data| Tensor {
                    name: slot.tensor(&parameter.spec.name),
                    ..named(&parameter.spec, data)
                }));
            }
        }
        self.skips.save_sums(&self.specs, &mut tensors);
        Ok(tensors)
    }

    fn load(&mut self, tensors: &[Tensor]) -> Result<()> {
        let state = State::read(&self.specs, tensors)?;
        self.parameters = Parameters::new(&self.device, &self.model, &self.specs, &state)?;
        self.skips = Skips::read(&self.model, &self.specs, &state);
        Ok(())
    }
}

impl<E: Dtype, D: Backend<E>> Drop for DfdxEngine<E, D> {
    fn drop(&mut self) {
        // Frees what the cache holds, and keeps the tensors, which are freed next,
        // from going there. A device that fails here has nothing left to free.
        let _ = self.device.try_disable_cache();
    }
}

/// Computes the mean over the batch of `−log softmax(logits)[label]`.
fn cross_entropy<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    logits: Matrix<E, D, T>,
    labels: &[u32],
) -> Result<Scalar<E, D, T>> {
    let labels: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
    let count = labels.len();
    let labels = logits.device().try_tensor_from_vec(labels, (count,));
    let labels = labels.map_err(device_failed)?;
    logits
        .try_log_softmax::<Axis<1>>()
        .and_then(|logs| logs.try_select::<(usize,), (usize,)>(labels))
        .and_then(|logs| logs.try_mean::<(), Axis<0>>())
        .and_then(|mean| mean.try_negate())
        .map_err(device_failed)
}

/// Counts the rows whose largest element, the first of equals, is at their label.
fn correct<E: Dtype>(logits: &[E], classes: usize, labels: &[u32]) -> usize {
    let rows = logits.chunks_exact(classes.max(1)).zip(labels);
    rows.filter(|&(row, &label)| batch::is_correct(row, label))
        .count()
}

fn named(spec: &TensorSpec, data: Vec<f32>) -> Tensor {
    Tensor {
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        data,
    }
}
