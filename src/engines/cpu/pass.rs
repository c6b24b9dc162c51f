//! Batch norm, activation and the weighing of a skip in one pass, and its gradients.

use super::kernels::normalise::{self, Blend, Fused, GradientSlice, Weights};
use super::kernels::{self, Moments, Pool, moments};
use super::map::Map;
use crate::engines::forms::{Activation, Form, Join};

/// What a pass reads.
pub struct Operands<'a> {
    pub map: Map,
    pub x: &'a [f32],
    pub norm: Option<normalise::Norm<'a>>,
    pub activation: Option<Activation>,
    pub join: Option<Join>,
    /// The shortcut's output, where there is a join.
    pub s: &'a [f32],
    /// What the join reads beside f and s: a gate or α.
    pub extra: &'a [f32],
}

/// Where gradients go.
pub struct Gradients<'a> {
    pub dx: Option<GradientSlice<'a>>,
    pub ds: Option<GradientSlice<'a>>,
    pub dgate: Option<GradientSlice<'a>>,
    pub dalpha: Option<&'a mut [f32]>,
    pub norm: Option<(&'a mut [f32], &'a mut [f32])>,
}

/// Positions with factors of their own in the sum of f and s, for so many α.
fn plane(map: Map, alphas: usize) -> usize {
    match alphas > map.channels {
        true => map.positions,
        false => 1,
    }
}

/// Floats of the factors of f, or of s. `alphas` is how many α the join has.
fn table(map: Map, join: Option<Join>, alphas: usize) -> usize {
    match join {
        None | Some(Join::Gated { .. }) => 0,
        Some(Join::Residual { .. }) => map.stride,
        Some(Join::Fading { .. }) => plane(map, alphas) * map.stride,
    }
}

/// Scratch of [`statistics`].
pub fn statistics_scratch(map: Map) -> usize {
    moments::scratch_len(map.rows(), map.channels)
}

/// Mean and biased variance of each channel: two rows of padded channels.
pub fn statistics(pool: &Pool, x: &[f32], map: Map, found: &mut [f32], scratch: &mut [f32]) {
    let (mean, variance) = found.split_at_mut(map.stride);
    let found = Moments {
        mean: &mut mean[..map.channels],
        variance: &mut variance[..map.channels],
    };
    moments::moments(pool, x, map.rows(), found, scratch);
}

/// `running ← (1 − share)·running + share·found`, the variance made unbiased.
pub fn move_statistics(
    found: &[f32],
    count: usize,
    (mean, variance): (&mut [f32], &mut [f32]),
    share: f64,
) {
    let (means, variances) = found.split_at(found.len() / 2);
    let unbiased = if count > 1 {
        count as f64 / (count - 1) as f64
    } else {
        1.0
    };
    let blend = |old: &mut f32, new: f64| {
        *old = ((1.0 - share) * f64::from(*old) + share * new) as f32;
    };
    for (old, &new) in mean.iter_mut().zip(means) {
        blend(old, f64::from(new));
    }
    for (old, &new) in variance.iter_mut().zip(variances) {
        blend(old, unbiased * f64::from(new));
    }
}

fn activation(activation: Option<Activation>) -> kernels::Activation {
    match activation {
        None => kernels::Activation::Identity,
        Some(Activation::Relu) => kernels::Activation::Relu,
        Some(Activation::Elu(alpha)) => kernels::Activation::Elu { alpha },
        Some(Activation::LeakyRelu(slope)) => kernels::Activation::LeakyRelu { slope },
        Some(Activation::Tanh) => kernels::Activation::Tanh,
        Some(Activation::Sigmoid) => kernels::Activation::Sigmoid,
    }
}

impl Operands<'_> {
    fn table(&self) -> usize {
        table(self.map, self.join, self.extra.len())
    }

    /// Index of α for channel `c` at `position`.
    fn alpha_at(&self, c: usize, position: usize) -> usize {
        if self.extra.len() == 1 {
            0
        } else if self.extra.len() == self.map.channels {
            c
        } else {
            c * self.map.positions + position
        }
    }

    /// Fills a and b, the factors of f and s.
    fn factors(&self, a: &mut [f32], b: &mut [f32]) {
        let map = self.map;
        let mut fill = |positions: usize, of: &dyn Fn(usize, usize) -> (f32, f32)| {
            a.fill(0.0);
            b.fill(0.0);
            for position in 0..positions {
                for c in 0..map.channels {
                    let at = position * map.stride + c;
                    (a[at], b[at]) = of(c, position);
                }
            }
        };
        match self.join {
            None | Some(Join::Gated { .. }) => {}
            Some(Join::Residual { scale, .. }) => fill(1, &|_, _| (scale, scale)),
            Some(Join::Fading { form, .. }) => fill(plane(map, self.extra.len()), &|c, at| {
                let alpha = self.extra[self.alpha_at(c, at)];
                match form {
                    Form::Additive => (1.0, 1.0 - alpha),
                    Form::Convex => (alpha, 1.0 - alpha),
                }
            }),
        }
    }

    /// What the kernel takes, with the factors a and b.
    fn fused<'b>(&'b self, a: &'b [f32], b: &'b [f32]) -> Fused<'b> {
        let weights = self.join.map(|join| match join {
            Join::Gated { .. } => Weights::Gate(self.extra),
            Join::Residual { .. } | Join::Fading { .. } => Weights::Fixed {
                body: a,
                skip: b,
                plane: a.len() / self.map.stride,
            },
        });
        Fused {
            rows: self.map.rows(),
            channels: self.map.channels,
            norm: self.norm,
            activation: activation(self.activation),
            blend: weights.map(|weights| Blend {
                skip: self.s,
                weights,
            }),
        }
    }

    /// ∂C/∂α from the gradients of a and b: `dα = −db`, in the convex form `da − db`.
    fn alpha_gradient(&self, da: &[f32], db: &[f32], dalpha: &mut [f32]) {
        let is_convex = matches!(
            self.join,
            Some(Join::Fading {
                form: Form::Convex,
                ..
            })
        );
        let value = |at: usize| match is_convex {
            true => da[at] - db[at],
            false => -db[at],
        };
        if dalpha.len() == 1 {
            let sum: f64 = (0..self.map.channels).map(|c| f64::from(value(c))).sum();
            dalpha[0] = sum as f32;
            return;
        }
        for position in 0..plane(self.map, dalpha.len()) {
            for c in 0..self.map.channels {
                dalpha[self.alpha_at(c, position)] = value(position * self.map.stride + c);
            }
        }
    }
}

/// Scratch of [`forward`].
pub fn forward_scratch(map: Map, join: Option<Join>, alphas: usize) -> usize {
    2 * table(map, join, alphas) + normalise::forward_scratch_len(map.channels)
}

/// `y = join(activation(norm(x)))`.
pub fn forward(pool: &Pool, operands: &Operands, y: &mut [f32], scratch: &mut [f32]) {
    let (a, rest) = scratch.split_at_mut(operands.table());
    let (b, rest) = rest.split_at_mut(operands.table());
    operands.factors(a, b);
    normalise::forward(pool, &operands.fused(a, b), operands.x, y, rest);
}

/// Sums over the rows of `operands`, which may be a part of the batch, that
/// [`merge`] and [`apply`] need. Scratch as of [`forward`].
pub fn sums(pool: &Pool, operands: &Operands, dy: &[f32], to: &mut [f32], scratch: &mut [f32]) {
    let (a, rest) = scratch.split_at_mut(operands.table());
    let (b, rest) = rest.split_at_mut(operands.table());
    operands.factors(a, b);
    normalise::sum(pool, &operands.fused(a, b), operands.x, dy, to, rest);
}

/// From the [`sums`] of all parts to their totals and the gradients of tensors. Of the
/// operands only the join plays a part, whose factors are the same in every position.
pub fn merge(
    operands: &Operands,
    partials: &[f32],
    totals: &mut [f32],
    norm: Option<(&mut [f32], &mut [f32])>,
    dalpha: Option<&mut [f32]>,
) {
    normalise::merge(partials, totals);
    if let Some((weight, bias)) = norm {
        normalise::norm_gradients(totals, weight, bias);
    }
    if let Some(dalpha) = dalpha {
        let stride = operands.map.stride;
        let (da, db) = (&totals[2 * stride..3 * stride], &totals[3 * stride..]);
        operands.alpha_gradient(da, db, dalpha);
    }
}

/// Gradients of the rows of `operands`, which may be a part of the batch of `count`
/// rows whose totals are given. Scratch as of [`forward`].
pub fn apply(
    pool: &Pool,
    operands: &Operands,
    totals: (&[f32], usize),
    dy: &[f32],
    targets: [Option<GradientSlice>; 3],
    scratch: &mut [f32],
) {
    let (a, rest) = scratch.split_at_mut(operands.table());
    let (b, rest) = rest.split_at_mut(operands.table());
    operands.factors(a, b);
    let fused = operands.fused(a, b);
    normalise::apply(pool, &fused, totals, operands.x, dy, targets, rest);
}

/// Scratch of [`backward`].
pub fn backward_scratch(map: Map, join: Option<Join>, alphas: usize) -> usize {
    let kernel = normalise::backward_scratch_len(map.rows(), map.channels);
    4 * table(map, join, alphas) + kernel
}

/// The gradients of a pass for δ = `dy`.
pub fn backward(
    pool: &Pool,
    operands: &Operands,
    dy: &[f32],
    gradients: Gradients,
    scratch: &mut [f32],
) {
    let len = operands.table();
    let (a, rest) = scratch.split_at_mut(len);
    let (b, rest) = rest.split_at_mut(len);
    let (da, rest) = rest.split_at_mut(len);
    let (db, rest) = rest.split_at_mut(len);
    operands.factors(a, b);
    let to = normalise::Gradients {
        input: gradients.dx,
        norm: gradients.norm,
        skip: gradients.ds,
        weights: gradients.dalpha.is_some().then_some((&mut *da, &mut *db)),
        gate: gradients.dgate,
    };
    normalise::backward(pool, &operands.fused(a, b), operands.x, dy, to, rest);
    if let Some(dalpha) = gradients.dalpha {
        operands.alpha_gradient(da, db, dalpha);
    }
}
