//! Memory of the engine: what is kept between steps, and one arena for the rest.

use super::map::Map;
use crate::error::{Error, Result};
use crate::ir::TensorSpec;
use crate::plan::{Id, Kind, Plan, Storage};
use std::ops::Range;

/// Cache line: the arena's unit, so that every buffer starts at one.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; 16]);

/// Tensors of the network, their gradients, the optimizer's slots, and the arena.
pub(super) struct Memory {
    /// Tensors in the order of [`crate::ir::Model::tensors`], in PyTorch's layouts.
    pub tensors: Vec<Vec<f32>>,
    /// Gradient ∂C/∂w of each tensor; empty where there is none. Nothing before training.
    pub gradients: Vec<Vec<f32>>,
    /// Values that each slot of the optimizer keeps for each tensor; empty where that is
    /// nothing. Nothing before training.
    pub slots: Vec<Vec<Vec<f32>>>,
    arena: Vec<Line>,
    /// Starts of the buffers that are lent, kept for its room.
    starts: Vec<*mut f32>,
}

impl Memory {
    /// Allocates memory for these tensors, all zeros: all that evaluation keeps.
    pub fn new(specs: &[TensorSpec]) -> Result<Self> {
        Ok(Memory {
            tensors: zeros_of(specs, |_| true)?,
            gradients: Vec::new(),
            slots: Vec::new(),
            arena: Vec::new(),
            starts: Vec::new(),
        })
    }

    /// Allocates what training keeps beside the tensors, their gradients and so many slots, all
    /// zeros, where they are not there yet.
    pub fn keep_training(&mut self, specs: &[TensorSpec], slots: usize) -> Result<()> {
        if self.gradients.len() < specs.len() {
            self.slots = (0..slots)
                .map(|_| zeros_of(specs, TensorSpec::is_optimized))
                .collect::<Result<_>>()?;
            self.gradients = zeros_of(specs, |spec| spec.role.is_parameter())?;
        }
        Ok(())
    }

    /// Makes the arena large enough for `plan`. What it holds is lost.
    pub fn reserve(&mut self, plan: &Plan) -> Result<()> {
        let lines = plan.arena.div_ceil(16);
        if lines > self.arena.len() {
            // The old one goes first: the two need not fit together.
            self.arena = Vec::new();
            self.arena = zeros(lines, Line([0.0; 16]))?;
        }
        Ok(())
    }

    /// Lends the buffers of `plan`, for its steps on a batch's `images`. Where these are
    /// rows as they are, they are the input.
    ///
    /// # Panics
    /// If the arena is smaller than the plan's: see [`Self::reserve`].
    pub fn views<'a>(&'a mut self, plan: &'a Plan, images: &'a [f32]) -> BufferViews<'a> {
        assert!(plan.arena <= self.arena.len() * 16);
        let arena = self.arena.as_mut_ptr().cast::<f32>();
        self.starts.clear();
        for buffer in &plan.buffers {
            self.starts.push(match buffer.storage {
                Storage::Tensor(index) => self.tensors[index].as_mut_ptr(),
                Storage::Gradient(index) => self.gradients[index].as_mut_ptr(),
                Storage::Slot { tensor, slot } => self.slots[slot][tensor].as_mut_ptr(),
                // Inside the arena by the assertion.
                Storage::Arena { offset } => arena.wrapping_add(offset),
            });
        }
        if Map::of_buffer(plan, plan.input).is_given(Map::of_images(plan)) {
            // No step writes its input.
            assert!(images.len() >= plan.buffer(plan.input).elements);
            self.starts[plan.input.0] = images.as_ptr().cast_mut();
        }
        BufferViews {
            starts: &self.starts,
            plan,
            images: (0, plan.batch),
        }
    }
}

/// Allocates those of the tensors that are wanted, and nothing for the others.
fn zeros_of(specs: &[TensorSpec], wanted: fn(&TensorSpec) -> bool) -> Result<Vec<Vec<f32>>> {
    let tensor = |spec: &TensorSpec| match wanted(spec) {
        true => zeros(spec.shape.iter().product(), 0.0),
        false => Ok(Vec::new()),
    };
    specs.iter().map(tensor).collect()
}

fn zeros<T: Copy>(len: usize, zero: T) -> Result<Vec<T>> {
    let mut data = Vec::new();
    data.try_reserve_exact(len).map_err(|_| {
        let bytes = len.saturating_mul(size_of::<T>());
        Error::new(format!("there is no memory for {bytes} bytes")).help("choose a smaller --batch")
    })?;
    data.resize(len, zero);
    Ok(data)
}

/// Buffers of a plan, of activations those of some images.
#[derive(Clone, Copy)]
pub(super) struct BufferViews<'a> {
    starts: &'a [*mut f32],
    pub plan: &'a Plan,
    /// Index of the first image, and of the one after the last.
    images: (usize, usize),
}

// SAFETY: threads that share it keep the promises of `read` and `write`.
unsafe impl Sync for BufferViews<'_> {}

impl<'a> BufferViews<'a> {
    /// Narrows the view to these images.
    pub fn of_images(self, images: Range<usize>) -> Self {
        assert!(images.start <= images.end && images.end <= self.plan.batch);
        BufferViews {
            images: (images.start, images.end),
            ..self
        }
    }

    /// Returns the images that activations are of.
    pub fn images(&self) -> Range<usize> {
        self.images.0..self.images.1
    }

    /// Describes the activations in the buffer `id`.
    pub fn map(&self, id: Id) -> Map {
        Map {
            images: self.images.1 - self.images.0,
            ..Map::of_buffer(self.plan, id)
        }
    }

    /// Returns the start of each buffer, of all images.
    pub fn starts(&self) -> &'a [*mut f32] {
        self.starts
    }

    fn range(&self, id: Id) -> (*mut f32, usize) {
        let buffer = self.plan.buffer(id);
        match buffer.kind {
            Kind::Map(_) => {
                let image = buffer.elements / self.plan.batch.max(1);
                let start = self.starts[id.0].wrapping_add(self.images.0 * image);
                (start, (self.images.1 - self.images.0) * image)
            }
            Kind::Tensor(_) | Kind::Rows(..) | Kind::Scratch => {
                (self.starts[id.0], buffer.elements)
            }
        }
    }

    /// Lends a buffer to read.
    ///
    /// # Safety
    /// While it lives, no other part of the program writes it.
    pub unsafe fn read(&self, id: Id) -> &'a [f32] {
        let (start, len) = self.range(id);
        // SAFETY: within one allocation that lives for 'a; every float is initialised.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// Lends a buffer to write.
    ///
    /// # Safety
    /// While it lives, no other part of the program reads or writes it.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn write(&self, id: Id) -> &'a mut [f32] {
        let (start, len) = self.range(id);
        // SAFETY: the floats live as long as the memory is borrowed, and the caller promises
        // that nothing else uses them.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    /// Lends part of a buffer to write.
    ///
    /// # Safety
    /// As of [`Self::write`].
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(&self, id: Id, part: Range<usize>) -> &'a mut [f32] {
        let (start, len) = self.range(id);
        assert!(part.start <= part.end && part.end <= len);
        // SAFETY: the part is within the buffer, whose floats live as long as the memory is
        // borrowed, and the caller promises that nothing else uses it.
        unsafe { std::slice::from_raw_parts_mut(start.add(part.start), part.len()) }
    }
}
