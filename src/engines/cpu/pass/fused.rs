//! Passes that the fused kernel computes: a known activation, and a join by factors or by
//! a sigmoid gate.

use super::super::kernels::normalise::{self, Blend, GradientSlice, Norm, Weights};
use super::super::kernels::{Activation, Pool};
use super::super::map::Map;
use super::affine::Affine;
use super::coefficients::Trained;
use super::general::TensorGradients;

/// Pass of the fused kernel.
#[derive(Debug)]
pub struct Fused {
    pub activation: Activation,
    pub join: FusedJoin,
}

/// Join that the kernel knows.
#[derive(Debug)]
pub enum FusedJoin {
    /// No join.
    Absent,
    /// Join by a gate: `T·f + (1 − T)·s`, T the sigmoid of the gate.
    Gate,
    /// Join by factors of f and s.
    Affine(Box<Affine>),
}

/// Operands that a pass reads.
#[derive(Clone, Copy)]
pub struct Operands<'a, 't> {
    pub map: Map,
    pub x: &'a [f32],
    pub norm: Option<Norm<'a>>,
    /// Output of the shortcut, where there is a join.
    pub s: &'a [f32],
    /// Output of the gate, where there is one.
    pub gate: &'a [f32],
    /// Trained coefficients by index.
    pub trained: Trained<'a, 't>,
}

/// Destinations of the gradients.
pub struct Gradients<'a, I: Iterator<Item = &'a mut [f32]>> {
    /// Gradients of x, s and the gate.
    pub arrays: [Option<GradientSlice<'a>>; 3],
    /// Gradients of the norm's γ and β.
    pub norm: Option<(&'a mut [f32], &'a mut [f32])>,
    /// Gradients of the trained coefficients.
    pub trained: I,
}

impl Fused {
    fn affine(&self) -> Option<&Affine> {
        match &self.join {
            FusedJoin::Affine(affine) => Some(affine),
            FusedJoin::Absent | FusedJoin::Gate => None,
        }
    }

    fn table(&self) -> usize {
        self.affine().map_or(0, Affine::table)
    }

    /// Counts the floats of scratch of [`Self::forward`].
    pub fn forward_scratch(&self, map: Map, threads: usize) -> usize {
        let kernel = normalise::forward_scratch_len(map.channels);
        2 * self.table() + kernel.max(self.factor_scratch(threads))
    }

    /// Counts the floats of scratch of [`Self::backward`].
    pub fn backward_scratch(&self, map: Map, threads: usize) -> usize {
        let kernel = normalise::backward_scratch_len(map.rows(), map.channels);
        4 * self.table() + kernel.max(self.factor_scratch(threads))
    }

    /// Counts the floats of scratch that are used before and after those of the kernel.
    fn factor_scratch(&self, threads: usize) -> usize {
        self.affine().map_or(0, |affine| affine.scratch(threads))
    }

    /// Fills the factors; gives the kernel's operands and the rest of the scratch.
    fn prepare<'s>(
        &self,
        pool: &Pool,
        operands: &Operands<'s, '_>,
        scratch: &'s mut [f32],
    ) -> (normalise::Fused<'s>, &'s mut [f32]) {
        let (a, rest) = scratch.split_at_mut(self.table());
        let (b, rest) = rest.split_at_mut(self.table());
        if let Some(affine) = self.affine() {
            affine.fill(pool, operands.trained, [&mut *a, &mut *b], rest);
        }
        let weights = match &self.join {
            FusedJoin::Absent => None,
            FusedJoin::Gate => Some(Weights::Gate(operands.gate)),
            FusedJoin::Affine(affine) => Some(Weights::Fixed {
                body: a,
                skip: b,
                plane: affine.plane(),
            }),
        };
        let fused = normalise::Fused {
            rows: operands.map.rows(),
            channels: operands.map.channels,
            norm: operands.norm,
            activation: self.activation,
            blend: weights.map(|weights| Blend {
                skip: operands.s,
                weights,
            }),
        };
        (fused, rest)
    }

    /// Writes y.
    pub fn forward(&self, pool: &Pool, operands: &Operands, y: &mut [f32], scratch: &mut [f32]) {
        let (fused, rest) = self.prepare(pool, operands, scratch);
        normalise::forward(pool, &fused, operands.x, y, rest);
    }

    /// Writes all gradients.
    pub fn backward<'a>(
        &self,
        pool: &Pool,
        operands: &Operands,
        dy: &[f32],
        gradients: Gradients<'a, impl Iterator<Item = &'a mut [f32]>>,
        scratch: &mut [f32],
    ) {
        let (fused, rest) = self.prepare(pool, operands, scratch);
        let (da, rest) = rest.split_at_mut(self.table());
        let (db, rest) = rest.split_at_mut(self.table());
        let [input, skip, gate] = gradients.arrays;
        let affine = self.affine().filter(|affine| affine.is_trained());
        let to = normalise::Gradients {
            input,
            norm: gradients.norm,
            skip,
            weights: affine.map(|_| (&mut *da, &mut *db)),
            gate,
        };
        normalise::backward(pool, &fused, operands.x, dy, to, rest);
        if let Some(affine) = affine {
            let trained = operands.trained;
            affine.differentiate(pool, trained, [da, db], gradients.trained, rest);
        }
    }

    /// Writes the sums over the operands' rows, which may be a part of the batch, that
    /// [`Self::merge`] and [`Self::apply`] need. Scratch is that of [`Self::forward`].
    pub fn sum(
        &self,
        pool: &Pool,
        operands: &Operands,
        dy: &[f32],
        sums: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (fused, rest) = self.prepare(pool, operands, scratch);
        normalise::sum(pool, &fused, operands.x, dy, sums, rest);
    }

    /// Merges the sums of all parts to their totals and the gradients of tensors, of
    /// passes whose factors are the same in every position. Scratch is that of
    /// [`Self::forward`].
    pub fn merge<'t>(
        &self,
        pool: &Pool,
        map: Map,
        trained: Trained,
        (partials, totals): (&[f32], &mut [f32]),
        tensors: TensorGradients<'t, impl Iterator<Item = &'t mut [f32]>>,
        scratch: &mut [f32],
    ) {
        normalise::merge(partials, totals);
        if let Some((weight, bias)) = tensors.norm {
            normalise::norm_gradients(totals, weight, bias);
        }
        if let Some(affine) = self.affine() {
            let (_, factors) = totals.split_at_mut(2 * map.stride);
            let (da, db) = factors.split_at_mut(map.stride);
            affine.differentiate(pool, trained, [da, db], tensors.trained, scratch);
        }
    }

    /// Writes the gradients of the operands' rows, which may be a part of the batch of
    /// `count` rows whose totals are given. Scratch is that of [`Self::forward`].
    pub fn apply(
        &self,
        pool: &Pool,
        operands: &Operands,
        totals: (&[f32], usize),
        dy: &[f32],
        arrays: [Option<GradientSlice>; 3],
        scratch: &mut [f32],
    ) {
        let (fused, rest) = self.prepare(pool, operands, scratch);
        normalise::apply(pool, &fused, totals, operands.x, dy, arrays, rest);
    }
}
