//! Operands of a pass, and where its gradients go.

use super::super::activation::Activation;
use super::super::padded;

/// Operands of batch norm, `[C]` each.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    /// Mean μ: of the batch in training, running in evaluation.
    pub mean: &'a [f32],
    /// Variance σ², likewise.
    pub variance: &'a [f32],
    /// Summand of the variance, against division by 0.
    pub eps: f32,
    /// Factor γ.
    pub weight: &'a [f32],
    /// Summand β.
    pub bias: &'a [f32],
}

/// Weighted sum with a skip connection.
#[derive(Clone, Copy)]
pub struct Blend<'a> {
    /// Activation s, `[rows][padded(C)]`.
    pub skip: &'a [f32],
    /// Weights a and b.
    pub weights: Weights<'a>,
}

/// Weights of a sum.
#[derive(Clone, Copy)]
pub enum Weights<'a> {
    /// Weights that are the same in every image.
    Fixed {
        /// a, `[plane][padded(C)]`, zero past C.
        body: &'a [f32],
        /// b, likewise.
        skip: &'a [f32],
        /// Positions with weights of their own: 1, or H·W.
        plane: usize,
    },
    /// Gate g of each element, `[rows][padded(C)]`.
    Gate(&'a [f32]),
}

/// Functions that are computed of z, `[rows][padded(C)]`.
#[derive(Clone, Copy)]
pub struct Fused<'a> {
    /// Number of rows: N·H·W, or N for vectors.
    pub rows: usize,
    /// Number of channels C.
    pub channels: usize,
    /// Batch norm, if any.
    pub norm: Option<Norm<'a>>,
    /// Activation after it.
    pub activation: Activation,
    /// Sum with a skip connection, if any.
    pub blend: Option<Blend<'a>>,
}

/// Destination of a gradient, `[rows][padded(C)]`.
pub struct GradientSlice<'a> {
    /// Floats of the gradient.
    pub to: &'a mut [f32],
    /// Whether it is added to what is there.
    pub add: bool,
}

/// Destinations of the gradients; vectors are overwritten.
pub struct Gradients<'a> {
    /// ∂C/∂z.
    pub input: Option<GradientSlice<'a>>,
    /// ∂C/∂γ and ∂C/∂β, `[C]`.
    pub norm: Option<(&'a mut [f32], &'a mut [f32])>,
    /// ∂C/∂s.
    pub skip: Option<GradientSlice<'a>>,
    /// ∂C/∂a and ∂C/∂b of fixed weights, `[plane][padded(C)]`.
    pub weights: Option<(&'a mut [f32], &'a mut [f32])>,
    /// ∂C/∂g of a gate.
    pub gate: Option<GradientSlice<'a>>,
}

/// Number of sums of the backward pass: du, du·n, d·h, d·s.
pub(super) const SUMS: usize = 4;

impl Fused<'_> {
    pub(super) fn check(&self, lens: &[usize]) {
        let len = self.rows * padded(self.channels);
        assert!(lens.iter().all(|l| *l >= len), "operands too short");
        if let Some(norm) = &self.norm {
            let vectors = [norm.mean, norm.variance, norm.weight, norm.bias];
            assert!(
                vectors.iter().all(|v| v.len() >= self.channels),
                "norm too short"
            );
        }
        if let Some(blend) = &self.blend {
            assert!(blend.skip.len() >= len, "skip too short");
            match blend.weights {
                Weights::Fixed { body, skip, plane } => {
                    let weights = plane * padded(self.channels);
                    assert!(plane > 0 && body.len() >= weights && skip.len() >= weights);
                }
                Weights::Gate(gate) => assert!(gate.len() >= len, "gate too short"),
            }
        }
    }

    /// Fills the tables `[μ | 1/√(σ² + eps) | γ | β | 1 where a channel | 0 | 0]`; the
    /// last are for dβ/M and dγ/M.
    pub(super) fn tabulate(&self, tables: &mut [f32]) {
        let stride = padded(self.channels);
        tables.fill(0.0);
        for c in 0..self.channels {
            let [mean, inverse, weight, bias] = match &self.norm {
                Some(norm) => [
                    norm.mean[c],
                    1.0 / (norm.variance[c] + norm.eps).sqrt(),
                    norm.weight[c],
                    norm.bias[c],
                ],
                None => [0.0, 1.0, 1.0, 0.0],
            };
            for (place, value) in [mean, inverse, weight, bias, 1.0].into_iter().enumerate() {
                tables[place * stride + c] = value;
            }
        }
    }
}
