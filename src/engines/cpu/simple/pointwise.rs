//! Batch norm, activation and the weighing of a skip in one pass, and its gradients:
//! see [`crate::plan::PointwiseGradients`] for the equations.
//!
//! A part of the work is a line of 16 channels over all rows, so that sums over rows
//! stay on the stack.

use super::super::run::Map;
use super::parallel::{Shared, parts};
use crate::ir::Form;
use crate::plan::{Activation, Join};

/// Channels of a line.
const LINE: usize = 16;

/// What a pass reads.
pub struct Operands<'a> {
    pub map: Map,
    pub x: &'a [f32],
    pub norm: Option<Norm<'a>>,
    pub activation: Option<Activation>,
    pub join: Option<Join>,
    /// The shortcut's output, where there is a join.
    pub s: &'a [f32],
    /// The gate's pre-activation or α.
    pub extra: &'a [f32],
}

/// A batch norm, each slice one float a channel.
pub struct Norm<'a> {
    pub mean: &'a [f32],
    pub variance: &'a [f32],
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub eps: f32,
}

/// Where gradients go; with `true`, to be added.
pub struct Gradients<'a> {
    pub dx: Option<(&'a mut [f32], bool)>,
    pub ds: Option<(&'a mut [f32], bool)>,
    pub dgate: Option<(&'a mut [f32], bool)>,
    pub dalpha: Option<&'a mut [f32]>,
    pub dweight: Option<&'a mut [f32]>,
    pub dbias: Option<&'a mut [f32]>,
}

/// Mean and biased variance of each channel: two rows of padded channels.
pub fn statistics(x: &[f32], map: Map, found: &mut [f32]) {
    let count = map.rows() as f64;
    let found = Shared::new(found);
    parts(map.stride, |c| {
        let column = || x.iter().skip(c).step_by(map.stride).map(|&x| f64::from(x));
        let mean = column().sum::<f64>() / count;
        let variance = column().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        // SAFETY: a part's own elements.
        unsafe {
            found.range(c, 1)[0] = mean as f32;
            found.range(map.stride + c, 1)[0] = variance as f32;
        }
    });
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

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl Activation {
    fn apply(self, z: f32) -> f32 {
        match self {
            // NaN is not below 0, and so stays.
            Activation::Relu if z < 0.0 => 0.0,
            Activation::Elu(alpha) if z < 0.0 => alpha * z.exp_m1(),
            Activation::LeakyRelu(slope) if z < 0.0 => slope * z,
            Activation::Relu | Activation::Elu(_) | Activation::LeakyRelu(_) => z,
            Activation::Tanh => z.tanh(),
            Activation::Sigmoid => sigmoid(z),
        }
    }

    /// The derivative at z, where `f = apply(z)`.
    fn slope(self, z: f32, f: f32) -> f32 {
        match self {
            Activation::Relu if z <= 0.0 => 0.0,
            Activation::Elu(alpha) if z <= 0.0 => alpha * z.exp(),
            Activation::LeakyRelu(slope) if z <= 0.0 => slope,
            Activation::Relu | Activation::Elu(_) | Activation::LeakyRelu(_) => 1.0,
            Activation::Tanh => 1.0 - f * f,
            Activation::Sigmoid => f * (1.0 - f),
        }
    }
}

/// A batch norm's numbers for one channel.
#[derive(Clone, Copy)]
struct Channel {
    mean: f32,
    /// 1/√(σ² + eps).
    inverse: f32,
    weight: f32,
    bias: f32,
}

impl Channel {
    const NONE: Channel = Channel {
        mean: 0.0,
        inverse: 1.0,
        weight: 1.0,
        bias: 0.0,
    };
}

/// What a pass computes for one element.
struct Element {
    /// Index among the activations.
    index: usize,
    /// Normalised.
    hat: f32,
    z: f32,
    f: f32,
}

impl Operands<'_> {
    fn channel(&self, c: usize) -> Channel {
        match &self.norm {
            None => Channel::NONE,
            Some(norm) => Channel {
                mean: norm.mean[c],
                inverse: 1.0 / (norm.variance[c] + norm.eps).sqrt(),
                weight: norm.weight[c],
                bias: norm.bias[c],
            },
        }
    }

    fn element(&self, channel: Channel, row: usize, c: usize) -> Element {
        let index = row * self.map.stride + c;
        let hat = (self.x[index] - channel.mean) * channel.inverse;
        let z = hat * channel.weight + channel.bias;
        let f = self.activation.map_or(z, |activation| activation.apply(z));
        Element { index, hat, z, f }
    }

    /// Index of α for channel `c` at `position`.
    fn alpha(&self, c: usize, position: usize) -> usize {
        if self.extra.len() == 1 {
            0
        } else if self.extra.len() == self.map.channels {
            c
        } else {
            c * self.map.positions + position
        }
    }

    /// Calls `visit` with each element of channel `c`, row by row.
    fn column(&self, c: usize, mut visit: impl FnMut(usize, Element)) {
        let channel = self.channel(c);
        for row in 0..self.map.rows() {
            visit(row, self.element(channel, row, c));
        }
    }

    /// The channels of a line.
    fn line(&self, line: usize) -> std::ops::Range<usize> {
        line * LINE..self.map.channels.min((line + 1) * LINE)
    }

    /// Padding of a line in every row.
    fn padding(&self, line: usize, to: &Shared) {
        let first = self.line(line).end;
        for row in 0..self.map.rows() {
            let len = (line + 1) * LINE - first;
            // SAFETY: the line belongs to one part.
            unsafe { to.range(row * self.map.stride + first, len) }.fill(0.0);
        }
    }

    fn joined(&self, e: &Element, c: usize, row: usize) -> f32 {
        let Some(join) = self.join else { return e.f };
        let s = self.s[e.index];
        match join {
            Join::Residual { scale, .. } => scale * (e.f + s),
            Join::Gated { .. } => s + sigmoid(self.extra[e.index]) * (e.f - s),
            Join::Fading { form, .. } => {
                let alpha = self.extra[self.alpha(c, row % self.map.positions)];
                match form {
                    Form::Additive => e.f + (1.0 - alpha) * s,
                    Form::Convex => s + alpha * (e.f - s),
                }
            }
        }
    }
}

/// `y = join(activation(norm(x)))`.
pub fn forward(operands: &Operands, y: &mut [f32]) {
    let y = Shared::new(y);
    parts(operands.map.stride / LINE, |line| {
        for c in operands.line(line) {
            operands.column(c, |row, e| {
                // SAFETY: the line belongs to this part.
                unsafe { y.range(e.index, 1)[0] = operands.joined(&e, c, row) };
            });
        }
        operands.padding(line, &y);
    });
}

/// ∂C/∂f, ∂C/∂s, ∂C/∂gate and the element's part of ∂C/∂α, from δ.
fn unjoin(operands: &Operands, e: &Element, c: usize, row: usize, delta: f32) -> [f32; 4] {
    let Some(join) = operands.join else {
        return [delta, 0.0, 0.0, 0.0];
    };
    let s = operands.s[e.index];
    match join {
        Join::Residual { scale, .. } => [scale * delta, scale * delta, 0.0, 0.0],
        Join::Gated { .. } => {
            let t = sigmoid(operands.extra[e.index]);
            let dgate = t * (1.0 - t) * (e.f - s) * delta;
            [t * delta, (1.0 - t) * delta, dgate, 0.0]
        }
        Join::Fading { form, .. } => {
            let alpha = operands.extra[operands.alpha(c, row % operands.map.positions)];
            let ds = (1.0 - alpha) * delta;
            match form {
                Form::Additive => [delta, ds, 0.0, -s * delta],
                Form::Convex => [alpha * delta, ds, 0.0, (e.f - s) * delta],
            }
        }
    }
}

/// A gradient's buffer that threads share.
struct To<'a>(Option<(Shared<'a>, bool)>);

impl<'a> To<'a> {
    fn new(to: Option<(&'a mut [f32], bool)>) -> Self {
        To(to.map(|(to, add)| (Shared::new(to), add)))
    }

    /// # Safety
    /// No other thread touches the element.
    unsafe fn put(&self, index: usize, value: f32) {
        if let Some((to, add)) = &self.0 {
            // SAFETY: the caller's promise.
            let to = unsafe { &mut to.range(index, 1)[0] };
            *to = if *add { *to + value } else { value };
        }
    }

    fn padding(&self, operands: &Operands, line: usize) {
        // What is added to has zeros there already.
        if let Some((to, false)) = &self.0 {
            operands.padding(line, to);
        }
    }
}

/// The gradients of a pass for δ = `dy`. `scratch` holds a float a line.
pub fn backward(operands: &Operands, dy: &[f32], gradients: Gradients, scratch: &mut [f32]) {
    let per_line = operands.extra.len() == 1;
    let per_unit = operands.extra.len() > operands.map.channels;
    let (dx, ds, dgate) = (
        To::new(gradients.dx),
        To::new(gradients.ds),
        To::new(gradients.dgate),
    );
    let mut dalpha = gradients.dalpha;
    if let Some(dalpha) = &mut dalpha {
        dalpha.fill(0.0);
    }
    let alphas = dalpha.as_deref_mut().map(Shared::new);
    let (dweight, dbias) = (
        gradients.dweight.map(Shared::new),
        gradients.dbias.map(Shared::new),
    );
    let lines = Shared::new(scratch);
    parts(operands.map.stride / LINE, |line| {
        let mut line_alpha = 0.0;
        for c in operands.line(line) {
            let (mut sum, mut dot, mut alpha) = (0.0_f64, 0.0_f64, 0.0_f64);
            let slope = |e: &Element| operands.activation.map_or(1.0, |a| a.slope(e.z, e.f));
            operands.column(c, |row, e| {
                let [df, s, gate, a] = unjoin(operands, &e, c, row, dy[e.index]);
                let dz = slope(&e) * df;
                sum += f64::from(dz);
                dot += f64::from(dz * e.hat);
                alpha += f64::from(a);
                // SAFETY: the line belongs to this part, and so does α's channel.
                unsafe {
                    ds.put(e.index, s);
                    dgate.put(e.index, gate);
                    if operands.norm.is_none() {
                        dx.put(e.index, dz);
                    }
                    if let (true, Some(alphas)) = (per_unit, &alphas) {
                        let index = operands.alpha(c, row % operands.map.positions);
                        alphas.range(index, 1)[0] += a;
                    }
                }
            });
            line_alpha += alpha;
            // SAFETY: as above.
            unsafe {
                if let (false, false, Some(alphas)) = (per_line, per_unit, &alphas) {
                    alphas.range(c, 1)[0] = alpha as f32;
                }
                if let Some(dweight) = &dweight {
                    dweight.range(c, 1)[0] = dot as f32;
                }
                if let Some(dbias) = &dbias {
                    dbias.range(c, 1)[0] = sum as f32;
                }
            }
            if operands.norm.is_some() && dx.0.is_some() {
                let channel = operands.channel(c);
                let count = operands.map.rows() as f64;
                let (mean, along) = ((sum / count) as f32, (dot / count) as f32);
                operands.column(c, |row, e| {
                    let [df, ..] = unjoin(operands, &e, c, row, dy[e.index]);
                    let centred = slope(&e) * df - mean - e.hat * along;
                    // SAFETY: the line belongs to this part.
                    unsafe { dx.put(e.index, channel.weight * channel.inverse * centred) };
                });
            }
        }
        for to in [&dx, &ds, &dgate] {
            to.padding(operands, line);
        }
        // SAFETY: a part's own element.
        unsafe { lines.range(line, 1)[0] = line_alpha as f32 };
    });
    if let (true, Some(dalpha)) = (per_line, dalpha) {
        let sum: f64 = scratch.iter().map(|&part| f64::from(part)).sum();
        dalpha[0] = sum as f32;
    }
}
