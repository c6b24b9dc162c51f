//! Memory on the card: the network's tensors, gradients and the optimizer's slots in rows
//! of floats that one kernel can pass over, and one arena for the rest.

use super::gpu::{Buffer, Gpu};
use super::held::Held;
use super::prelude::{CONTROL_LAYOUT, OUTCOME_LAYOUT};
use crate::error::Result;
use crate::ir::{Role, TensorSpec};
use crate::plan::{Id, Plan, Storage};
use std::ops::Range;

/// Number of floats that tensors begin at multiples of: 128 bytes.
const ALIGNMENT: usize = 32;

/// Number of outcomes that can wait to be read.
pub const OUTCOMES: usize = 1024;

/// Bytes of an outcome.
pub const OUTCOME: usize = OUTCOME_LAYOUT.size;

/// Places of the tensors in the row of all: those that the optimizer moves, the ones without
/// weight decay last, those that it would if they were not frozen, then α, λ and the running
/// statistics. α and λ are in the same order, so one offset is of both.
pub struct Rows {
    /// Floats before each tensor, in the order of [`crate::ir::Model::tensors`].
    pub offsets: Vec<usize>,
    /// Number of floats that the optimizer moves and decays.
    pub decayed: usize,
    /// Number of floats that the optimizer moves: after those, the coefficients.
    pub optimized: usize,
    /// Range of the floats of all α.
    pub alphas: Range<usize>,
    /// Range of the floats of all λ.
    pub lambdas: Range<usize>,
    /// Number of floats of the row.
    pub total: usize,
}

impl Rows {
    /// Gives every tensor its place.
    pub fn new(specs: &[TensorSpec]) -> Rows {
        let mut rows = Rows {
            offsets: vec![0; specs.len()],
            decayed: 0,
            optimized: 0,
            alphas: 0..0,
            lambdas: 0..0,
            total: 0,
        };
        rows.decayed = rows.place(
            specs,
            |spec| spec.is_optimized() && spec.role.is_decayed(),
            0,
        );
        let is_coefficient = |spec: &TensorSpec| spec.is_optimized() && !spec.role.is_decayed();
        let end = rows.place(specs, is_coefficient, rows.decayed);
        rows.optimized = end;
        // What is frozen has gradients like the others, and nothing moves it.
        let end = rows.place(specs, |spec| spec.role.is_optimized() && spec.frozen, end);
        let alphas = end;
        let end = rows.place(specs, |spec| spec.role == Role::Alpha, end);
        rows.alphas = alphas..end;
        let end = rows.place(specs, |spec| spec.role == Role::Multiplier, end);
        rows.lambdas = rows.alphas.end..end;
        let is_running =
            |spec: &TensorSpec| matches!(spec.role, Role::RunningMean | Role::RunningVar);
        rows.total = rows.place(specs, is_running, end);
        rows
    }

    fn place(
        &mut self,
        specs: &[TensorSpec],
        wanted: fn(&TensorSpec) -> bool,
        mut at: usize,
    ) -> usize {
        for (spec, offset) in specs.iter().zip(&mut self.offsets) {
            if wanted(spec) {
                *offset = at;
                at += spec
                    .shape
                    .iter()
                    .product::<usize>()
                    .next_multiple_of(ALIGNMENT);
            }
        }
        at
    }
}

/// Memory that the engine has on the card.
pub struct Memory {
    /// Places in the rows.
    pub rows: Rows,
    /// Values of the tensors.
    pub tensors: Buffer,
    /// Gradients of what the optimizer moves and of α. Nothing before training.
    pub gradients: Buffer,
    /// Values that the optimizer keeps for what it moves, a row a slot. None before training.
    pub slots: Vec<Buffer>,
    /// Sums of ∂C/∂α for the end of an epoch.
    pub sums: Buffer,
    /// Least and greatest value of each coefficient that the optimizer moves.
    pub ranges: Buffer,
    /// A [`Held`] an α.
    pub held: Buffer,
    /// Control of the step, which [`CONTROL_LAYOUT`] lays out.
    pub control: Buffer,
    /// Outcomes that wait to be read, room for [`OUTCOMES`].
    pub outcomes: Buffer,
    arena: Buffer,
    labels: Buffer,
    losses: Buffer,
    correct: Buffer,
    staging: Buffer,
    workspace: Buffer,
}

const FLOAT: usize = size_of::<f32>();

impl Memory {
    /// Allocates memory for these tensors, all zeros: all that evaluation keeps.
    pub fn new(gpu: &Gpu, specs: &[TensorSpec]) -> Result<Memory> {
        let rows = Rows::new(specs);
        let nothing = || gpu.zeros(0);
        Ok(Memory {
            tensors: gpu.zeros(rows.total * FLOAT)?,
            gradients: nothing()?,
            slots: Vec::new(),
            sums: gpu.zeros(rows.alphas.len() * FLOAT)?,
            ranges: gpu.zeros((rows.optimized - rows.decayed) * 2 * FLOAT)?,
            held: gpu.zeros(rows.alphas.len() * size_of::<Held>())?,
            control: gpu.zeros(CONTROL_LAYOUT.size)?,
            outcomes: gpu.zeros(OUTCOMES * OUTCOME)?,
            arena: nothing()?,
            labels: nothing()?,
            losses: nothing()?,
            correct: nothing()?,
            staging: nothing()?,
            workspace: nothing()?,
            rows,
        })
    }

    /// Allocates what training keeps beside the tensors, their gradients and so many slots, all
    /// zeros, where they are not there yet.
    pub fn keep_training(&mut self, gpu: &Gpu, slots: usize) -> Result<()> {
        let gradients = self.rows.alphas.end * FLOAT;
        if self.gradients.bytes < gradients {
            self.gradients = gpu.zeros(gradients)?;
        }
        while self.slots.len() < slots {
            self.slots.push(gpu.zeros(self.rows.optimized * FLOAT)?);
        }
        Ok(())
    }

    /// Makes room for `plan` and `workspace` bytes of a library's. Tells whether anything
    /// has moved, so that graphs captured before are of no use.
    pub fn reserve(&mut self, gpu: &Gpu, plan: &Plan, workspace: usize) -> Result<bool> {
        let images = plan.batch;
        let mut moved = false;
        let mut grow = |buffer: &mut Buffer, bytes: usize| -> Result<()> {
            if bytes > buffer.bytes {
                // The old one goes first: the two need not fit together.
                gpu.wait()?;
                *buffer = gpu.zeros(0)?;
                *buffer = gpu.zeros(bytes)?;
                moved = true;
            }
            Ok(())
        };
        grow(&mut self.arena, plan.arena_bytes())?;
        grow(&mut self.labels, images * size_of::<u32>())?;
        grow(&mut self.losses, images * size_of::<f64>())?;
        grow(&mut self.correct, images * size_of::<u32>())?;
        grow(&mut self.workspace, workspace)?;
        Ok(moved)
    }

    /// Returns the address where a batch of `bytes` waits to be taken apart, with room
    /// made for it.
    pub fn staging(&mut self, gpu: &Gpu, bytes: usize) -> Result<u64> {
        if bytes > self.staging.bytes {
            gpu.wait()?;
            self.staging = gpu.zeros(0)?;
            self.staging = gpu.zeros(bytes)?;
        }
        Ok(self.staging.at)
    }

    /// Returns the address of a buffer of `plan`.
    pub fn address(&self, plan: &Plan, id: Id) -> u64 {
        let float = |row: &Buffer, offset: usize| row.at + (offset * FLOAT) as u64;
        match plan.buffer(id).storage {
            Storage::Tensor(index) => float(&self.tensors, self.rows.offsets[index]),
            Storage::Gradient(index) => float(&self.gradients, self.rows.offsets[index]),
            Storage::Slot { tensor, slot } => float(&self.slots[slot], self.rows.offsets[tensor]),
            Storage::Arena { offset } => float(&self.arena, offset),
        }
    }

    /// Returns the address of the α, in the row of values.
    pub fn alphas(&self) -> u64 {
        self.tensors.at + (self.rows.alphas.start * FLOAT) as u64
    }

    /// Returns the address of the λ, in the row of values.
    pub fn lambdas(&self) -> u64 {
        self.tensors.at + (self.rows.lambdas.start * FLOAT) as u64
    }

    /// Returns the address of ∂C/∂α, in the row of gradients.
    pub fn alpha_gradients(&self) -> u64 {
        self.gradients.at + (self.rows.alphas.start * FLOAT) as u64
    }

    /// Returns the address of the labels of the batch.
    pub fn labels(&self) -> u64 {
        self.labels.at
    }

    /// Returns the address of the losses of the images.
    pub fn losses(&self) -> u64 {
        self.losses.at
    }

    /// Returns the address of the flags that tell which images are classified rightly.
    pub fn correct(&self) -> u64 {
        self.correct.at
    }

    /// Returns a library's scratch memory.
    pub fn workspace(&self) -> &Buffer {
        &self.workspace
    }
}

/// Copies `from`, in PyTorch's order, to `to`, in the card's: weights of convolutions are
/// outputs × rows × columns × inputs there; all else is as on the host.
pub fn to_card(spec: &TensorSpec, from: &[f32], to: &mut [f32]) {
    match spec.shape[..] {
        [o, i, h, w] => {
            let from = from.chunks_exact((i * h * w).max(1));
            for (from, to) in from.zip(to.chunks_exact_mut((i * h * w).max(1))).take(o) {
                transpose(from, i, h * w, to);
            }
        }
        _ => to.copy_from_slice(from),
    }
}

/// Copies `from`, in the card's order, to `to`, in PyTorch's: the inverse of [`to_card`].
pub fn from_card(spec: &TensorSpec, from: &[f32], to: &mut [f32]) {
    match spec.shape[..] {
        [o, i, h, w] => {
            let from = from.chunks_exact((i * h * w).max(1));
            for (from, to) in from.zip(to.chunks_exact_mut((i * h * w).max(1))).take(o) {
                transpose(from, h * w, i, to);
            }
        }
        _ => to.copy_from_slice(from),
    }
}

/// Transposes `rows × columns` to `columns × rows`.
fn transpose(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    for row in 0..rows {
        for column in 0..columns {
            to[column * rows + row] = from[row * columns + column];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, shape: &[usize], role: Role) -> TensorSpec {
        TensorSpec {
            name: name.into(),
            shape: shape.into(),
            role,
            start: crate::ir::Start::Number(0.0),
            frozen: false,
        }
    }

    #[test]
    fn weights_go_to_the_card_and_back() {
        let weight = spec("w", &[2, 3, 2, 1], Role::Weight);
        let host: Vec<f32> = (0..12).map(|x| x as f32).collect();
        let mut card = vec![0.0; 12];
        to_card(&weight, &host, &mut card);
        assert_eq!(card[..6], [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        let mut back = vec![0.0; 12];
        from_card(&weight, &card, &mut back);
        assert_eq!(back, host);
        let bias = spec("b", &[12], Role::Bias);
        to_card(&bias, &host, &mut card);
        assert_eq!(card, host);
    }

    #[test]
    fn rows_keep_what_one_kernel_moves_together() {
        let specs = [
            spec("a.weight", &[33], Role::Weight),
            spec("a.alpha", &[2], Role::Alpha),
            spec("a.lambda", &[2], Role::Multiplier),
            spec("b.running_mean", &[3], Role::RunningMean),
            spec("b.alpha", &[40], Role::Alpha),
            spec("b.lambda", &[40], Role::Multiplier),
            spec("c.bias", &[1], Role::Bias),
        ];
        let rows = Rows::new(&specs);
        assert_eq!(rows.offsets, [0, 96, 192, 288, 128, 224, 64]);
        assert_eq!((rows.optimized, rows.total), (96, 320));
        assert_eq!((rows.alphas, rows.lambdas), (96..192, 192..288));
        // What is frozen is not among what moves, and has a place in the row of gradients.
        let mut specs = specs;
        specs[0].frozen = true;
        let rows = Rows::new(&specs);
        assert_eq!((rows.offsets[0], rows.offsets[6]), (32, 0));
        assert_eq!((rows.optimized, rows.alphas), (32, 96..192));
    }
}
