//! Tensors of the network on the device, and how they map to PyTorch's layouts.

use super::backend::{Backend, Matrix, device_failed, number};
use crate::engines::state::State;
use crate::error::{Error, Result};
use crate::ir::{Model, Op, Optimizer, Role, Sgd, Slot, TensorSpec};
use dfdx::dtypes::Dtype;
use dfdx::tensor::{Gradients, Trace};
use dfdx::tensor_ops::{Backward, Momentum, SgdConfig, SumTo, TryMul, WeightDecay};
use std::collections::HashMap;

/// Every tensor of a network except λ, which no forward pass reads, with the
/// slots of those that the optimizer moves.
pub(super) struct Parameters<E: Dtype, D: Backend<E>> {
    device: D,
    all: Vec<Parameter<E, D>>,
    by_name: HashMap<String, usize>,
    /// Values that each slot keeps. dfdx's SGD wants one even where there is no momentum.
    slots: Vec<Gradients<E, D>>,
}

/// Tensor of the network on the device.
pub(super) struct Parameter<E: Dtype, D: Backend<E>> {
    /// Name, shape and role of the tensor.
    pub spec: TensorSpec,
    /// Elements of the tensor, in the order of `layout`.
    pub value: Matrix<E, D>,
    layout: Layout,
}

/// The order of a tensor's elements on the device.
///
/// On the host a weight is outputs × channels × positions: O × I × k·k of a
/// convolution, and of a linear layer on an image O × C × H·W. On the device it is the
/// right-hand matrix of a product, (positions·channels) × outputs, because rows of
/// activations there have their channels last. Everything else is a row of
/// positions·channels, as if it had one output.
#[derive(Clone, Copy)]
struct Layout {
    outputs: usize,
    channels: usize,
    positions: usize,
    is_row: bool,
}

impl Layout {
    /// Chooses the layout of a tensor. `linear_positions` are positions of the image that
    /// a linear weight takes, by the weight's name.
    fn of_tensor(spec: &TensorSpec, linear_positions: &HashMap<String, usize>) -> Self {
        let (outputs, channels, positions, is_row) = match spec.shape[..] {
            [outputs, channels, height, width] => (outputs, channels, height * width, false),
            [channels, height, width] => (1, channels, height * width, true),
            [outputs, inputs] => {
                let positions = linear_positions.get(&spec.name).copied().unwrap_or(1);
                (outputs, inputs / positions, positions, false)
            }
            _ => (1, spec.shape.iter().product(), 1, true),
        };
        Layout {
            outputs,
            channels,
            positions,
            is_row,
        }
    }

    /// Returns the rows and columns on the device.
    fn dimensions(self) -> (usize, usize) {
        let inputs = self.channels * self.positions;
        if self.is_row {
            (1, inputs)
        } else {
            (inputs, self.outputs)
        }
    }

    /// Lists the index on the host of each element on the device, in order.
    fn host_indices(self) -> impl Iterator<Item = usize> {
        let Layout {
            outputs,
            channels,
            positions,
            ..
        } = self;
        (0..positions).flat_map(move |p| {
            (0..channels)
                .flat_map(move |c| (0..outputs).map(move |o| (o * channels + c) * positions + p))
        })
    }

    fn to_device<A: Copy>(self, host: &[A]) -> Vec<A> {
        self.host_indices().map(|index| host[index]).collect()
    }

    fn to_host<A: Copy + Default>(self, device: &[A]) -> Vec<A> {
        let mut host = vec![A::default(); device.len()];
        for (index, &value) in self.host_indices().zip(device) {
            host[index] = value;
        }
        host
    }
}

impl<E: Dtype, D: Backend<E>> Parameters<E, D> {
    /// Places the tensors of `model`, with the values and slots of `state`.
    pub fn new(device: &D, model: &Model, specs: &[TensorSpec], state: &State) -> Result<Self> {
        let linear_positions = linear_positions(model);
        let mut parameters = Parameters {
            device: device.clone(),
            all: Vec::new(),
            by_name: HashMap::new(),
            slots: Vec::new(),
        };
        for (spec, tensor) in specs.iter().zip(&state.network) {
            if spec.role == Role::Multiplier {
                continue;
            }
            let layout = Layout::of_tensor(spec, &linear_positions);
            let value = on_device(device, layout, &tensor.data)?;
            parameters
                .by_name
                .insert(spec.name.clone(), parameters.all.len());
            parameters.all.push(Parameter {
                spec: spec.clone(),
                value,
                layout,
            });
        }
        let slots = model.train.optimizer.slots();
        for index in 0..slots.len().max(1) {
            let kept = parameters.slot(state, slots.get(index).copied())?;
            parameters.slots.push(kept);
        }
        Ok(parameters)
    }

    /// Places the values that `state` has of a slot, 0 where it has none.
    ///
    /// dfdx lets a raw buffer, which its optimizers want, be filled only by a backward
    /// pass; so what is kept, v, becomes the gradient of Σ w∘v with respect to w.
    fn slot(&self, state: &State, slot: Option<Slot>) -> Result<Gradients<E, D>> {
        let mut kept = Gradients::leaky();
        for parameter in self.all.iter().filter(|p| p.spec.is_optimized()) {
            let weight = &parameter.value;
            let buffer = kept.get_or_alloc_mut(weight).map_err(device_failed)?;
            let saved = slot.and_then(|slot| state.slot(slot, &parameter.spec.name));
            if let Some(tensor) = saved {
                let host = on_device(&self.device, parameter.layout, &tensor.data)?;
                let product = weight.leaky_trace().try_mul(host).map_err(device_failed)?;
                let sum = product.try_sum::<(), _>().map_err(device_failed)?;
                let mut gradients = sum.try_backward().map_err(device_failed)?;
                let loaded = gradients.get_or_alloc_mut(weight).map_err(device_failed)?;
                std::mem::swap(buffer, loaded);
            }
        }
        Ok(kept)
    }

    /// Returns all tensors in the order of [`Model::tensors`].
    pub fn iter(&self) -> impl Iterator<Item = &Parameter<E, D>> {
        self.all.iter()
    }

    /// Returns the tensor called `name` of the layer at `path`.
    pub fn get(&self, path: &str, name: &str) -> Result<&Matrix<E, D>> {
        let name = format!("{path}.{name}");
        match self.by_name.get(&name) {
            Some(&index) => Ok(&self.all[index].value),
            None => Err(Error::new(format!("the network has no tensor `{name}`"))),
        }
    }

    /// Replaces the elements of the tensor called `name`, given in the host's order.
    pub fn set(&mut self, name: &str, host: &[f32]) -> Result<()> {
        if let Some(&index) = self.by_name.get(name) {
            let parameter = &mut self.all[index];
            parameter.value = on_device(&self.device, parameter.layout, host)?;
        }
        Ok(())
    }

    /// Replaces the row called `name` of the layer at `path` by one on the device, unless it is
    /// frozen.
    pub fn set_row(&mut self, path: &str, name: &str, row: Matrix<E, D>) {
        if let Some(&index) = self.by_name.get(&format!("{path}.{name}")) {
            let parameter = &mut self.all[index];
            if !parameter.spec.frozen {
                parameter.value = row;
            }
        }
    }

    /// Moves every optimised tensor by `optimizer` at the learning rate `rate`, with its
    /// gradient in `gradients`.
    pub fn update(
        &mut self,
        optimizer: &Optimizer,
        rate: f64,
        gradients: &mut Gradients<E, D>,
    ) -> Result<()> {
        for parameter in self.all.iter_mut().filter(|p| p.spec.is_optimized()) {
            // The copy shares the elements' key among gradients, not the elements.
            let key = parameter.value.ghost();
            let gradient = gradients.get_or_alloc_mut(&key).map_err(device_failed)?;
            let optimizer = match parameter.spec.role.is_decayed() {
                true => *optimizer,
                false => optimizer.without_decay(),
            };
            match &optimizer {
                Optimizer::Sgd(sgd) => {
                    let velocity = self.slots[0].get_or_alloc_mut(&key);
                    let velocity = velocity.map_err(device_failed)?;
                    sgd_config(sgd, rate)
                        .try_update(&mut parameter.value, velocity, gradient)
                        .map_err(device_failed)?;
                }
            }
            if let Some([least, greatest]) = parameter.spec.start.range() {
                // Into the same tensor: its velocity goes by its key.
                let moved = parameter.value.as_vec();
                let clip = |x: E| match x.to_f64() {
                    Some(x) if x < least => number(least),
                    Some(x) if x > greatest => number(greatest),
                    _ => x,
                };
                let clipped: Vec<E> = moved.into_iter().map(clip).collect();
                parameter.value.copy_from(&clipped);
            }
        }
        Ok(())
    }

    /// Returns the values that the slot of number `slot` keeps for `parameter`, in the
    /// host's order; None where the optimizer does not move it.
    pub fn kept(&self, slot: usize, parameter: &Parameter<E, D>) -> Option<Vec<f32>> {
        let is_optimized = parameter.spec.is_optimized();
        is_optimized.then(|| parameter.gradient(&self.slots[slot]))
    }
}

/// Makes dfdx's SGD with these settings at the learning rate `rate`.
fn sgd_config(sgd: &Sgd, rate: f64) -> SgdConfig {
    let momentum = match (sgd.momentum != 0.0, sgd.nesterov) {
        (false, _) => None,
        (true, false) => Some(Momentum::Classic(sgd.momentum)),
        (true, true) => Some(Momentum::Nesterov(sgd.momentum)),
    };
    SgdConfig {
        lr: rate,
        momentum,
        weight_decay: (sgd.weight_decay != 0.0).then_some(WeightDecay::L2(sgd.weight_decay)),
    }
}

impl<E: Dtype, D: Backend<E>> Parameter<E, D> {
    /// Returns the elements in the host's order.
    pub fn host(&self) -> Vec<f32> {
        self.to_host(&self.value)
    }

    /// Returns the gradient in the host's order. `gradients` must hold one: see
    /// [`Gradients::get_or_alloc_mut`].
    pub fn gradient(&self, gradients: &Gradients<E, D>) -> Vec<f32> {
        self.to_host(&gradients.get(&self.value))
    }

    fn to_host(&self, tensor: &Matrix<E, D>) -> Vec<f32> {
        let elements = tensor.as_vec();
        let elements: Vec<f32> = elements.iter().map(to_f32).collect();
        self.layout.to_host(&elements)
    }
}

/// Converts a number of the device's to the host's.
pub(super) fn to_f32<E: Dtype>(x: &E) -> f32 {
    x.to_f32().unwrap_or(f32::NAN)
}

fn on_device<E: Dtype, D: Backend<E>>(
    device: &D,
    layout: Layout,
    host: &[f32],
) -> Result<Matrix<E, D>> {
    let elements = layout.to_device(host);
    let elements = elements.iter().map(|&x| number(f64::from(x))).collect();
    device
        .try_tensor_from_vec(elements, layout.dimensions())
        .map_err(device_failed)
}

/// Finds the positions of the image that each linear layer on an image takes, by the name
/// of its weight.
fn linear_positions(model: &Model) -> HashMap<String, usize> {
    let mut positions = HashMap::new();
    model.walk(&mut |layer| {
        if let Op::Linear(_) = layer.op {
            positions.insert(format!("{}.weight", layer.path), layer.input.positions());
        }
    });
    positions
}
