//! Passes of any equations, as vector programs: `y = out(activation(norm(x)), s, gates,
//! coefficients)` and its gradients.
//!
//! With n, u, h as in [`super::super::kernels::normalise`], δ = ∂C/∂y and M rows:
//!
//! ```text
//! du = δ·∂out/∂f·activation′(u)     dβ = Σ du     dγ = Σ du·n     dv = Σ δ·∂out/∂v
//! dx = γ/√(σ² + eps)·(du − dβ/M − n·dγ/M)     ds = δ·∂out/∂s     dg = δ·∂out/∂g
//! ```
//!
//! The sums come first, by one program over rows and, for coefficients that each position
//! of an image has of its own, another over images; then what every row has by itself.

mod compile;

pub use compile::{Equations, GradientArrays, JoinArrays};

use super::super::kernels::normalise::{self, Norm};
use super::super::kernels::program::{Frame, Layout, Program};
use super::super::kernels::{Pool, padded};
use super::coefficients::{Coefficients, Trained};

/// Number of tables of batch norm, which come before those of coefficients: μ, 1/√(σ² +
/// eps), γ, β, and for the gradients dβ/M and dγ/M.
const NORM_TABLES: usize = 6;
const SHIFT: usize = 4;
const ALONG: usize = 5;

/// Number of sums of batch norm, which come before those of coefficients: dβ and dγ.
const NORM_SUMS: usize = 2;

/// Programs of a pass, forward or of its gradients.
#[derive(Debug)]
pub struct General {
    layout: Layout,
    is_normed: bool,
    coefficients: Coefficients,
    positions: usize,
    /// Program of sums over all rows: those of the norm, then of coefficients not by unit.
    by_channel: Option<Program>,
    /// Program of sums over images: of coefficients by unit.
    by_unit: Option<Program>,
    /// Program of what every row has by itself.
    rows: Option<Program>,
}

/// Returns the index of the first coefficient's table.
fn table_of_coefficients(is_normed: bool) -> usize {
    match is_normed {
        true => NORM_TABLES,
        false => 0,
    }
}

/// Operands that a pass reads.
#[derive(Clone, Copy)]
pub struct Operands<'a, 't> {
    /// Starts of arrays.
    pub arrays: &'a [*mut f32],
    /// Floats of each array before the first row.
    pub offset: usize,
    /// Number of rows.
    pub rows: usize,
    /// Batch norm, if any.
    pub norm: Option<Norm<'a>>,
    /// Trained coefficients by index.
    pub trained: Trained<'a, 't>,
}

impl Operands<'_, '_> {
    fn frame<'f>(&'f self, tables: &'f [f32]) -> Frame<'f> {
        Frame {
            arrays: self.arrays,
            offset: self.offset,
            tables,
            rows: self.rows,
        }
    }
}

/// Destinations of the gradients of tensors.
pub struct TensorGradients<'t, I: Iterator<Item = &'t mut [f32]>> {
    /// Gradients of γ and β.
    pub norm: Option<(&'t mut [f32], &'t mut [f32])>,
    /// Gradient of each trained coefficient.
    pub trained: I,
}

impl General {
    fn stride(&self) -> usize {
        padded(self.layout.channels)
    }

    /// Counts the floats of the sums over rows.
    pub fn sums_len(&self) -> usize {
        let sums = self.by_channel.as_ref().map_or(0, Program::sums);
        sums * self.stride()
    }

    fn unit_sums_len(&self) -> usize {
        let sums = self.by_unit.as_ref().map_or(0, Program::sums);
        sums * self.positions * self.stride()
    }

    /// Counts the floats of scratch for a pass over `rows` on so many threads.
    pub fn scratch(&self, rows: usize, threads: usize) -> usize {
        let programs = [&self.by_channel, &self.by_unit, &self.rows];
        let slots = programs.into_iter().flatten().map(Program::scratch).max();
        let partials = self.by_channel.as_ref().map_or(0, |p| p.partials(rows));
        let sums = self.sums_len() + self.unit_sums_len();
        self.layout.floats() + sums + partials + threads * slots.unwrap_or(0)
    }

    /// Fills the tables that do not depend on sums. Gives them and the rest of the scratch.
    fn fill<'s>(
        &self,
        operands: &Operands,
        scratch: &'s mut [f32],
    ) -> (&'s mut [f32], &'s mut [f32]) {
        let (tables, rest) = scratch.split_at_mut(self.layout.floats());
        let mut fill = |table: usize, value: &dyn Fn(usize) -> f32| {
            self.layout.fill(tables, table, |_, channels| {
                for (channel, to) in channels.iter_mut().enumerate() {
                    *to = value(channel);
                }
            });
        };
        if let Some(norm) = &operands.norm {
            fill(0, &|c| norm.mean[c]);
            fill(1, &|c| 1.0 / (norm.variance[c] + norm.eps).sqrt());
            fill(2, &|c| norm.weight[c]);
            fill(3, &|c| norm.bias[c]);
        }
        let first = table_of_coefficients(self.is_normed);
        for index in 0..self.coefficients.count() {
            let tensor = (operands.trained)(index);
            let table = first + index;
            self.coefficients.fill(&self.layout, table, tables, tensor);
        }
        (tables, rest)
    }

    /// Fills dβ/M and dγ/M from the sums over `count` rows.
    fn fill_shares(&self, sums: &[f32], count: usize, tables: &mut [f32]) {
        if self.is_normed {
            for (table, sums) in [SHIFT, ALONG].into_iter().zip(sums.chunks(self.stride())) {
                self.layout.fill(tables, table, |_, channels| {
                    for (to, sum) in channels.iter_mut().zip(sums) {
                        *to = sum / count as f32;
                    }
                });
            }
        }
    }

    /// Writes the pass, forward. Scratch is [`Self::scratch`].
    ///
    /// # Safety
    /// The frame's arrays are as [`Program::store`] asks.
    pub unsafe fn run(&self, pool: &Pool, operands: &Operands, scratch: &mut [f32]) {
        let (tables, rest) = self.fill(operands, scratch);
        if let Some(rows) = &self.rows {
            // SAFETY: the caller promises the arrays that the program asks for.
            unsafe { rows.store(pool, &operands.frame(tables), rest) };
        }
    }

    /// Writes all gradients. Scratch is [`Self::scratch`].
    ///
    /// # Safety
    /// As of [`Self::run`].
    pub unsafe fn differentiate<'t>(
        &self,
        pool: &Pool,
        operands: &Operands,
        tensors: TensorGradients<'t, impl Iterator<Item = &'t mut [f32]>>,
        scratch: &mut [f32],
    ) {
        let (tables, rest) = self.fill(operands, scratch);
        let (sums, rest) = rest.split_at_mut(self.sums_len());
        let (unit_sums, rest) = rest.split_at_mut(self.unit_sums_len());
        let frame = operands.frame(tables);
        // SAFETY: the caller promises the arrays that the programs ask for.
        unsafe {
            if let Some(program) = &self.by_channel {
                program.sum_by_channel(pool, &frame, sums, rest);
            }
            if let Some(program) = &self.by_unit {
                program.sum_by_unit(pool, &frame, self.positions, unit_sums, rest);
            }
        }
        self.write_tensors(sums, unit_sums, tensors);
        self.fill_shares(sums, operands.rows, tables);
        if let Some(rows) = &self.rows {
            // SAFETY: the caller promises the arrays that the program asks for.
            unsafe { rows.store(pool, &operands.frame(tables), rest) };
        }
    }

    /// Writes the sums over the operands' rows, which may be a part of the batch, of
    /// passes without coefficients by unit. Scratch is [`Self::scratch`].
    ///
    /// # Safety
    /// As of [`Self::run`].
    pub unsafe fn sum(
        &self,
        pool: &Pool,
        operands: &Operands,
        sums: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (tables, rest) = self.fill(operands, scratch);
        if let Some(program) = &self.by_channel {
            // SAFETY: the caller promises the arrays that the program asks for.
            unsafe { program.sum(pool, &operands.frame(tables), sums, rest) };
        }
    }

    /// Merges the sums of all parts of the batch to their totals and the gradients of
    /// tensors.
    pub fn merge<'t>(
        &self,
        partials: &[f32],
        totals: &mut [f32],
        tensors: TensorGradients<'t, impl Iterator<Item = &'t mut [f32]>>,
    ) {
        normalise::merge(partials, totals);
        self.write_tensors(totals, &[], tensors);
    }

    /// Writes the gradients of the operands' rows, which may be a part of a batch of
    /// `count` rows with these totals. Scratch is [`Self::scratch`].
    ///
    /// # Safety
    /// As of [`Self::run`].
    pub unsafe fn apply(
        &self,
        pool: &Pool,
        operands: &Operands,
        (totals, count): (&[f32], usize),
        scratch: &mut [f32],
    ) {
        let (tables, rest) = self.fill(operands, scratch);
        self.fill_shares(totals, count, tables);
        if let Some(rows) = &self.rows {
            // SAFETY: the caller promises the arrays that the program asks for.
            unsafe { rows.store(pool, &operands.frame(tables), rest) };
        }
    }

    fn write_tensors<'t>(
        &self,
        sums: &[f32],
        unit_sums: &[f32],
        tensors: TensorGradients<'t, impl Iterator<Item = &'t mut [f32]>>,
    ) {
        let mut by_channel = sums.chunks_exact(self.stride());
        if self.is_normed {
            by_channel.by_ref().take(NORM_SUMS).for_each(drop);
        }
        if let Some((weight, bias)) = tensors.norm {
            normalise::norm_gradients(sums, weight, bias);
        }
        let mut by_unit = unit_sums.chunks_exact(self.positions * self.stride());
        for (index, tensor) in tensors.trained.enumerate() {
            let plane = self.coefficients.plane(index);
            let sums = match self.coefficients.is_by_unit(index) {
                true => by_unit.next(),
                false => by_channel.next(),
            };
            if let Some(sums) = sums {
                self.coefficients.gather(sums, plane, tensor);
            }
        }
    }
}
