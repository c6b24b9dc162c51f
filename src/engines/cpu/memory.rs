//! The engine's memory: what is kept between steps, and one arena for the rest.

use crate::error::{Error, Result};
use crate::ir::TensorSpec;
use crate::plan::{Id, Place, Plan};

/// A cache line: the arena's unit, so that every buffer starts at one.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; 16]);

/// Tensors of the network, their gradients and velocities, and the arena.
pub(super) struct Memory {
    /// In the order of [`crate::ir::Model::tensors`], PyTorch's layouts.
    pub tensors: Vec<Vec<f32>>,
    /// ∂C/∂w of each; empty where there is none.
    pub gradients: Vec<Vec<f32>>,
    /// v of each; empty where there is none.
    pub velocities: Vec<Vec<f32>>,
    arena: Vec<Line>,
}

impl Memory {
    /// Memory for these tensors, all zeros, with velocities if there is momentum.
    pub fn new(specs: &[TensorSpec], has_momentum: bool) -> Result<Self> {
        let of = |wanted: &dyn Fn(&TensorSpec) -> bool| -> Result<Vec<Vec<f32>>> {
            let tensor = |spec: &TensorSpec| match wanted(spec) {
                true => zeros(spec.shape.iter().product(), 0.0),
                false => Ok(Vec::new()),
            };
            specs.iter().map(tensor).collect()
        };
        Ok(Memory {
            tensors: of(&|_| true)?,
            gradients: of(&|spec| spec.role.is_parameter())?,
            velocities: of(&|spec| has_momentum && spec.role.is_optimized())?,
            arena: Vec::new(),
        })
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

    /// The buffers of `plan`, for its steps.
    ///
    /// # Panics
    /// If the arena is smaller than the plan's: see [`Self::reserve`].
    pub fn lend<'a>(&'a mut self, plan: &'a Plan) -> Lent<'a> {
        assert!(plan.arena <= self.arena.len() * 16);
        Lent { memory: self, plan }
    }
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

/// The buffers of a plan.
pub(super) struct Lent<'a> {
    memory: &'a mut Memory,
    plan: &'a Plan,
}

impl<'a> Lent<'a> {
    fn range(&self, id: Id) -> (*const f32, usize) {
        let buffer = self.plan.buffer(id);
        let kept =
            |tensors: &Vec<Vec<f32>>, index: usize| (tensors[index].as_ptr(), buffer.elements);
        match buffer.place {
            Place::Tensor(index) => kept(&self.memory.tensors, index),
            Place::Gradient(index) => kept(&self.memory.gradients, index),
            Place::Velocity(index) => kept(&self.memory.velocities, index),
            Place::Arena { offset } => {
                let start = self.memory.arena.as_ptr().cast::<f32>();
                // SAFETY: the plan's arena is not larger than this one (`lend`).
                (unsafe { start.add(offset) }, buffer.elements)
            }
        }
    }

    /// A buffer to read.
    ///
    /// # Safety
    /// While it lives, no other part of the program writes the buffer.
    pub unsafe fn read(&self, id: Id) -> &'a [f32] {
        let (start, len) = self.range(id);
        // SAFETY: within one allocation that lives for 'a; every float is initialised.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// A buffer to write.
    ///
    /// # Safety
    /// While it lives, no other part of the program reads or writes the buffer.
    pub unsafe fn write(&mut self, id: Id) -> &'a mut [f32] {
        let (start, len) = self.range_mut(id);
        // SAFETY: as above, and nothing else uses it.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    fn range_mut(&mut self, id: Id) -> (*mut f32, usize) {
        let buffer = self.plan.buffer(id);
        let len = buffer.elements;
        let start = match buffer.place {
            Place::Tensor(index) => self.memory.tensors[index].as_mut_ptr(),
            Place::Gradient(index) => self.memory.gradients[index].as_mut_ptr(),
            Place::Velocity(index) => self.memory.velocities[index].as_mut_ptr(),
            Place::Arena { offset } => {
                let start = self.memory.arena.as_mut_ptr().cast::<f32>();
                // SAFETY: the plan's arena is not larger than this one (`lend`).
                unsafe { start.add(offset) }
            }
        };
        (start, len)
    }
}
