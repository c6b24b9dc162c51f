//! Starting values of a network's tensors.

use super::random::{Purpose, stream, unit};
use crate::ir::{Init, Model, Start, TensorSpec};
use crate::schedule::SkipMultipliers;
use crate::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;

/// Draws the starting state of a network, in the order of [`Model::tensors`].
///
/// Convolution and linear weights are drawn by `model.train.init`, with He's normal
/// those of projections and gates at half the variance, since no rectifier follows
/// them; biases are 0, a highway gate's is its policy's `bias`; batch norms start as
/// 1·x + 0 with running statistics 0 and 1; Dirac weights with a = 1 and b = 0.1; coefficients
/// where they or the constraint say, λ at 0 where it is not enforced. Each tensor has its own
/// random stream, named by `seed` and its path, so that a layer more or less leaves the
/// others as they are.
pub fn initial(model: &Model, seed: u64) -> Vec<Tensor> {
    let constraint = &model.train.constraint;
    let start = |spec: &TensorSpec| {
        let count = spec.shape.iter().product();
        match spec.start {
            Start::Drawn { rectified } => {
                let mut random = stream(Purpose::Initial, seed, &spec.name, 0);
                let gain = if rectified { 2.0 } else { 1.0 };
                weights(model.train.init, &spec.shape, gain, &mut random)
            }
            Start::Number(number) | Start::Bounded { at: number, .. } => vec![number as f32; count],
            Start::Coefficient(held) => SkipMultipliers::new(constraint, count, held).alpha,
            Start::Multiplier(held) => SkipMultipliers::new(constraint, count, held).lambda,
        }
    };
    model
        .tensors()
        .into_iter()
        .map(|spec| Tensor {
            data: start(&spec),
            name: spec.name,
            shape: spec.shape,
        })
        .collect()
}

/// Draws a weight of `shape` (outputs first) by `init`. The fan-in is the product
/// of the dimensions after the first; the fan-out is the first times the kernel's area.
/// `gain` is the growth of variance that He's normal makes up for.
fn weights(init: Init, shape: &[usize], gain: f64, random: &mut ChaCha8Rng) -> Vec<f32> {
    let out = shape.first().copied().unwrap_or(1);
    let fan_in: usize = shape.iter().skip(1).product();
    let fan_out = out * shape.iter().skip(2).product::<usize>();
    match init {
        Init::HeNormal => {
            let deviation = (gain / fan_in as f64).sqrt();
            let drawn = normals(out * fan_in, random);
            drawn.iter().map(|x| (x * deviation) as f32).collect()
        }
        Init::GlorotUniform => {
            let limit = (6.0 / (fan_in + fan_out) as f64).sqrt();
            (0..out * fan_in)
                .map(|_| ((2.0 * unit(random) - 1.0) * limit) as f32)
                .collect()
        }
        Init::Orthogonal => orthogonal(out, fan_in, random),
    }
}

/// Draws `count` standard normal deviates, two from each pair of uniform ones (Box & Muller).
fn normals(count: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
    let mut drawn = Vec::with_capacity(count + 1);
    while drawn.len() < count {
        let radius = (-2.0 * (1.0 - unit(random)).ln()).sqrt();
        let angle = 2.0 * PI * unit(random);
        drawn.extend([radius * angle.cos(), radius * angle.sin()]);
    }
    drawn.truncate(count);
    drawn
}

/// Draws a `rows × columns` matrix whose rows (or, where it is taller than wide, columns)
/// are orthonormal: Gram–Schmidt on normal deviates, which draws uniformly from all such
/// matrices.
fn orthogonal(rows: usize, columns: usize, random: &mut ChaCha8Rng) -> Vec<f32> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector = normals(length, random);
        // Twice, because rounding leaves a remainder after the first time.
        for _ in 0..2 {
            for other in &basis {
                let along = dot(&vector, other);
                for (x, y) in vector.iter_mut().zip(other) {
                    *x -= along * y;
                }
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        // A draw within the others' span, which has probability 0, is drawn again.
        if norm > 1e-9 {
            vector.iter_mut().for_each(|x| *x /= norm);
            basis.push(vector);
        }
    }
    let element = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        if rows <= columns {
            basis[row][column] as f32
        } else {
            basis[column][row] as f32
        }
    };
    (0..rows * columns).map(element).collect()
}

/// Computes the scalar product of a and b in eight partial sums, so that the additions
/// need not wait for one another.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (mut a, mut b) = (a.chunks_exact(8), b.chunks_exact(8));
    for (a, b) in (&mut a).zip(&mut b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest = a.remainder().iter().zip(b.remainder());
    sums.iter().sum::<f64>() + rest.map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests;
