//! Forward pass over the layers of a model, on a tape or without.

use super::backend::{Backend, Matrix, device_failed, number};
use super::equation;
use super::ops;
use super::parameters::Parameters;
use super::pool;
use super::windows::{Geometry, Windows};
use crate::engines::dropout;
use crate::error::{Error, Result};
use crate::ir::expr::{KnownActivation, Variable};
use crate::ir::{Activation, Gate, Layer, MapLayer, Op, Pool, PoolKind, Shape, Shortcut, Skip};
use dfdx::dtypes::Dtype;
use dfdx::shapes::HasShape;
use dfdx::tensor::{PutTape, SplitTape, Tape, WithEmptyTape};
use dfdx::tensor_ops::{GatherTo, ReshapeTo, TryMatMul, TryMul};

/// Forward pass: the network that it runs and what it finds on the way.
pub(super) struct ForwardPass<'a, E: Dtype, D: Backend<E>> {
    pub device: &'a D,
    pub parameters: &'a Parameters<E, D>,
    pub windows: &'a mut Windows<D>,
    /// Images in the batch.
    pub images: usize,
    pub mode: Mode,
    /// Statistics that each batch norm found in training, in forward order.
    pub statistics: Vec<Statistics<E, D>>,
    pub watch: Watch,
}

/// Mode of batch norm and dropout.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// Training, with the statistics of the batch, and dropping.
    Training {
        /// Seed of the run.
        seed: u64,
        /// Step since training began.
        step: u64,
    },
    /// Evaluation, with the running statistics, dropping nothing.
    Evaluation,
}

/// Statistics of a batch that the running ones of a batch norm are moved towards.
pub(super) struct Statistics<E: Dtype, D: Backend<E>> {
    /// Path of the layer.
    pub path: String,
    /// Share of the batch's statistics in the new running ones.
    pub momentum: f64,
    /// Mean of each channel over batch and positions.
    pub mean: Matrix<E, D>,
    /// Unbiased variance of each channel (of a single row, its 0).
    pub variance: Matrix<E, D>,
}

/// Search of a pass for NaN and infinities.
pub(super) enum Watch {
    /// No search.
    Off,
    /// Search that has found none.
    Clean,
    /// Search that has found one: the path of the first output that held it.
    Found(String),
}

/// Filters of a convolution or linear layer, a column of its weight each.
#[derive(Clone, Copy)]
struct Filters {
    /// Positions that a filter covers, each with all channels.
    positions: usize,
    /// Index of the kernel's centre among the positions; None in a linear layer.
    centre: Option<usize>,
    is_dirac: bool,
    has_bias: bool,
}

impl Filters {
    /// Makes δ of a Dirac weight of the given rows and columns: 1 where output o meets
    /// the o-th input, which for a convolution is channel o at the centre.
    fn delta<E: Dtype>(self, (inputs, outputs): (usize, usize)) -> Vec<E> {
        let channels = inputs / self.positions.max(1);
        let mut delta = vec![E::default(); inputs * outputs];
        for output in 0..outputs {
            let row = match self.centre {
                Some(centre) => (output < channels).then_some(centre * channels + output),
                // Inputs count a flattened image channel by channel, rows pixel by pixel.
                None => (output < inputs)
                    .then_some(output % self.positions * channels + output / self.positions),
            };
            if let Some(row) = row {
                delta[row * outputs + output] = E::ONE;
            }
        }
        delta
    }
}

impl<E: Dtype, D: Backend<E>> ForwardPass<'_, E, D> {
    /// Computes the output of `layers`, one after another, for `x`.
    pub fn layers<T: Tape<E, D>>(
        &mut self,
        layers: &[Layer],
        mut x: Matrix<E, D, T>,
    ) -> Result<Matrix<E, D, T>> {
        for layer in layers {
            x = self.layer(layer, x)?;
            self.look(&layer.path, &x);
        }
        Ok(x)
    }

    fn layer<T: Tape<E, D>>(
        &mut self,
        layer: &Layer,
        x: Matrix<E, D, T>,
    ) -> Result<Matrix<E, D, T>> {
        match &layer.op {
            Op::Conv(conv) => {
                let (kernel, stride, padding) = (conv.kernel, conv.stride, conv.padding);
                let windows = Geometry::new(layer.input, layer.output, kernel, stride, padding);
                let filters = Filters {
                    positions: windows.area(),
                    centre: Some(kernel / 2 * (kernel + 1)),
                    is_dirac: conv.dirac,
                    has_bias: conv.bias,
                };
                let patches = self.patches(x, windows)?;
                self.weighted(layer, patches, filters)
            }
            Op::Linear(linear) => {
                let inputs = (self.images, layer.input.elements());
                let x = x.try_reshape_like(&inputs).map_err(device_failed)?;
                let filters = Filters {
                    positions: layer.input.positions(),
                    centre: None,
                    is_dirac: linear.dirac,
                    has_bias: linear.bias,
                };
                self.weighted(layer, x, filters)
            }
            Op::BatchNorm(norm) => self.batch_norm(layer, x, norm.momentum, norm.eps),
            Op::Activation(activation) => self.activation(activation, x),
            Op::Map(map) => self.map(layer, map, x),
            Op::Flatten => self.flatten(layer.input, x),
            Op::Dropout(dropout) => self.dropout(layer, x, dropout.p),
            Op::Concat(concat) => {
                let y = self.layers(&concat.body, x.with_empty_tape())?;
                ops::concat(x, y).map_err(device_failed)
            }
            Op::Skip(skip) => self.skip(layer, skip, x),
        }
    }

    fn map<T: Tape<E, D>>(
        &mut self,
        layer: &Layer,
        map: &MapLayer,
        x: Matrix<E, D, T>,
    ) -> Result<Matrix<E, D, T>> {
        match map {
            MapLayer::Crelu => ops::crelu(x).map_err(device_failed),
            MapLayer::Pool(pool) => {
                let windows = pool_windows(layer, pool);
                match pool.kind {
                    PoolKind::Max => pool::max(x, self.images, windows),
                    PoolKind::Mean => {
                        let x = self.gather(x, windows)?;
                        ops::mean_groups(x, windows.area()).map_err(device_failed)
                    }
                }
            }
            MapLayer::GlobalAvgPool => {
                ops::mean_groups(x, layer.input.positions()).map_err(device_failed)
            }
        }
    }

    /// Notes the first output that is not finite.
    fn look<T: Tape<E, D>>(&mut self, path: &str, x: &Matrix<E, D, T>) {
        if let Watch::Clean = self.watch {
            let is_finite = |x: &E| x.to_f64().is_some_and(f64::is_finite);
            if !x.as_vec().iter().all(is_finite) {
                self.watch = Watch::Found(path.to_string());
            }
        }
    }

    /// Returns a tensor of the layer at `path`, for use on the tape T.
    fn parameter<T: Tape<E, D>>(&self, path: &str, name: &str) -> Result<Matrix<E, D, T>> {
        Ok(self.parameters.get(path, name)?.retaped())
    }

    /// Gathers the rows of `x` in each window, one after another.
    fn gather<T: Tape<E, D>>(
        &mut self,
        mut x: Matrix<E, D, T>,
        windows: Geometry,
    ) -> Result<Matrix<E, D, T>> {
        let rows = self.windows.rows(self.device, windows, self.images)?;
        if windows.padding > 0 {
            x = ops::pad_rows(x).map_err(device_failed)?;
        }
        x.try_gather(rows).map_err(device_failed)
    }

    /// Makes one row a window, with the channels of its positions one after another.
    fn patches<T: Tape<E, D>>(
        &mut self,
        x: Matrix<E, D, T>,
        windows: Geometry,
    ) -> Result<Matrix<E, D, T>> {
        if windows.is_pointwise() {
            return Ok(x);
        }
        let rows = self.images * windows.windows();
        let columns = windows.area() * x.shape().1;
        self.gather(x, windows)?
            .try_reshape_like(&(rows, columns))
            .map_err(device_failed)
    }

    /// Computes the product of `x` with the layer's weight, plus its bias.
    fn weighted<T: Tape<E, D>>(
        &mut self,
        layer: &Layer,
        x: Matrix<E, D, T>,
        filters: Filters,
    ) -> Result<Matrix<E, D, T>> {
        let path = &layer.path;
        let mut weight = self.parameter::<T>(path, "weight")?;
        if filters.is_dirac {
            let a = self.parameter(path, "dirac_a")?;
            let b = self.parameter(path, "dirac_b")?;
            let delta = filters.delta(*weight.shape());
            let delta = self.device.try_tensor_from_vec(delta, *weight.shape());
            let delta = delta.map_err(device_failed)?;
            weight = ops::dirac(weight, a, b, delta).map_err(device_failed)?;
        }
        let y = x.try_matmul(weight).map_err(device_failed)?;
        if !filters.has_bias {
            return Ok(y);
        }
        let bias = self.parameter(path, "bias")?;
        ops::add_row(y, bias).map_err(device_failed)
    }

    fn batch_norm<T: Tape<E, D>>(
        &mut self,
        layer: &Layer,
        x: Matrix<E, D, T>,
        momentum: f64,
        eps: f64,
    ) -> Result<Matrix<E, D, T>> {
        let path = &layer.path;
        let weight = self.parameter(path, "weight")?;
        let bias = self.parameter(path, "bias")?;
        match self.mode {
            Mode::Training { .. } => {
                let rows = x.shape().0 as f64;
                let (y, mean, variance) =
                    ops::batch_norm(x, weight, bias, eps).map_err(device_failed)?;
                let unbiased = if rows > 1.0 { rows / (rows - 1.0) } else { 1.0 };
                let variance = variance.try_mul(number::<E>(unbiased));
                self.statistics.push(Statistics {
                    path: path.clone(),
                    momentum,
                    mean,
                    variance: variance.map_err(device_failed)?,
                });
                Ok(y)
            }
            Mode::Evaluation => {
                let mean = self.parameter(path, "running_mean")?;
                let variance = self.parameter(path, "running_var")?;
                ops::batch_norm_by(x, (mean, variance), weight, bias, eps).map_err(device_failed)
            }
        }
    }

    /// Makes a vector a sample, channel by channel.
    pub fn flatten<T: Tape<E, D>>(
        &self,
        shape: Shape,
        x: Matrix<E, D, T>,
    ) -> Result<Matrix<E, D, T>> {
        match shape {
            Shape::Image { .. } => ops::flatten(x, shape.positions()).map_err(device_failed),
            Shape::Flat(_) => Ok(x),
        }
    }

    fn dropout<T: Tape<E, D>>(
        &self,
        layer: &Layer,
        x: Matrix<E, D, T>,
        p: f64,
    ) -> Result<Matrix<E, D, T>> {
        let Mode::Training { seed, step } = self.mode else {
            return Ok(x);
        };
        let elements = layer.input.elements();
        let mask = dropout::mask(p, seed, step, &layer.path, self.images * elements);
        let mask = rows_of_planes(layer.input, &mask);
        let mask = self.device.try_tensor_from_vec(mask, *x.shape());
        x.try_mul(mask.map_err(device_failed)?)
            .map_err(device_failed)
    }

    fn skip<T: Tape<E, D>>(
        &mut self,
        layer: &Layer,
        skip: &Skip,
        x: Matrix<E, D, T>,
    ) -> Result<Matrix<E, D, T>> {
        let policy = &skip.policy;
        let (x, tape) = x.split_tape();
        let f = self.layers(&skip.body, x.clone().put_tape(tape))?;
        let mut others = Vec::new();
        for (index, (spec, gate)) in policy.gates.iter().zip(&skip.gates).enumerate() {
            let gate = self.gate(layer, (&spec.name, gate), x.retaped::<T>())?;
            others.push((Variable::Gate(index), gate));
        }
        for (index, coefficient) in policy.trained.iter().enumerate() {
            let value = self.parameter(&layer.path, &coefficient.name)?;
            others.push((Variable::Trained(index), value));
        }
        if policy.has_shortcut() {
            let s = self.shortcut(layer, skip, x.retaped::<T>())?;
            // It may be f itself, which dfdx takes for one tensor.
            others.push((Variable::Shortcut, ops::apart(s).map_err(device_failed)?));
        }
        equation::evaluate(&policy.out, (Variable::Body, f), others).map_err(device_failed)
    }

    fn activation<T: Tape<E, D>>(
        &self,
        activation: &Activation,
        x: Matrix<E, D, T>,
    ) -> Result<Matrix<E, D, T>> {
        // These have fewer operations than their equations.
        let y = match KnownActivation::recognise(&activation.equation) {
            Some(KnownActivation::Relu) => ops::relu(x),
            Some(KnownActivation::LeakyRelu(slope)) => ops::leaky_relu(x, slope),
            Some(KnownActivation::Elu(alpha)) => ops::elu(x, alpha),
            Some(KnownActivation::Tanh | KnownActivation::Sigmoid) | None => {
                equation::evaluate(&activation.equation, (Variable::Element, x), Vec::new())
            }
        };
        y.map_err(device_failed)
    }

    /// Computes the shortcut s(x).
    fn shortcut<T: Tape<E, D>>(
        &mut self,
        layer: &Layer,
        skip: &Skip,
        x: Matrix<E, D, T>,
    ) -> Result<Matrix<E, D, T>> {
        let taken = |stride| Geometry::new(layer.input, layer.output, 1, stride, 0);
        match skip.shortcut {
            Shortcut::Identity => Ok(x),
            Shortcut::Conv1x1 { stride } => {
                let weight = self.parameter::<T>(&layer.path, "project.weight")?;
                let x = self.patches(x, taken(stride))?;
                let s = x.try_matmul(weight).map_err(device_failed)?;
                self.look(&format!("{}.project", layer.path), &s);
                Ok(s)
            }
            Shortcut::Pad { stride } => {
                let x = self.patches(x, taken(stride))?;
                match layer.output.channels().checked_sub(x.shape().1) {
                    Some(0) => Ok(x),
                    Some(more) => ops::pad_channels(x, more).map_err(device_failed),
                    None => Err(Error::new(format!(
                        "the skip `{}` has fewer channels than its input, which `pad` cannot make",
                        layer.path
                    ))),
                }
            }
        }
    }

    /// Computes the gate called `name`, before any function.
    fn gate<T: Tape<E, D>>(
        &mut self,
        layer: &Layer,
        (name, gate): (&str, &Gate),
        x: Matrix<E, D, T>,
    ) -> Result<Matrix<E, D, T>> {
        let path = format!("{}.{name}", layer.path);
        let weight = self.parameter::<T>(&path, "weight")?;
        let bias = self.parameter(&path, "bias")?;
        let x = match gate {
            Gate::Conv(conv) => {
                let (kernel, stride, padding) = (conv.kernel, conv.stride, conv.padding);
                let windows = Geometry::new(layer.input, layer.output, kernel, stride, padding);
                self.patches(x, windows)?
            }
            Gate::Linear => x,
        };
        let y = x.try_matmul(weight).map_err(device_failed)?;
        let y = ops::add_row(y, bias).map_err(device_failed)?;
        self.look(&path, &y);
        Ok(y)
    }
}

fn pool_windows(layer: &Layer, pool: &Pool) -> Geometry {
    Geometry::new(layer.input, layer.output, pool.kernel, pool.stride, 0)
}

/// Turns values of `shape` in N, C, H, W order, as masks are drawn, into rows of activations.
fn rows_of_planes<E: Dtype>(shape: Shape, images: &[f32]) -> Vec<E> {
    let (channels, positions) = (shape.channels(), shape.positions());
    let mut rows = Vec::with_capacity(images.len());
    for image in images.chunks_exact(channels * positions) {
        for position in 0..positions {
            let pixel = image.iter().skip(position).step_by(positions);
            rows.extend(pixel.map(|&x| number::<E>(f64::from(x))));
        }
    }
    rows
}
