//! Kernels of passes, loaded once for equal equations.

use super::super::equations::Equations;
use super::super::gpu::{Gpu, Module};
use super::super::source::{PASS, Source};
use super::arguments::LAYOUTS;
use crate::error::Result;
use crate::plan::{Action, Plan};

/// Kernels of every pass that plans have had so far.
#[derive(Default)]
pub struct PassKernels {
    modules: Vec<(Equations, Module)>,
}

impl PassKernels {
    /// Loads what the passes of `plan` need and is not there yet.
    ///
    /// # Errors
    /// As [`Gpu::load`].
    pub fn load(&mut self, gpu: &mut Gpu, plan: &Plan) -> Result<()> {
        let mut missing: Vec<Equations> = Vec::new();
        for step in &plan.forward {
            let Action::Pointwise(pass) = &step.action else {
                continue;
            };
            let equations = Equations::of_pass(plan, pass);
            if self.find(&equations).is_none() && !missing.contains(&equations) {
                missing.push(equations);
            }
        }
        let sources: Vec<Source> = missing.iter().map(Source::of_pass).collect();
        let modules = gpu.load(&sources)?;
        self.modules.extend(missing.into_iter().zip(modules));
        Ok(())
    }

    pub(super) fn find(&self, equations: &Equations) -> Option<Module> {
        let found = self.modules.iter().find(|(known, _)| known == equations);
        found.map(|(_, module)| *module)
    }
}

impl Source {
    /// Makes the file of the kernels of a pass with these equations. Each pair of an
    /// activation and a join is a file of its own: networks that have it share what is
    /// kept on disk, and those that a network needs are compiled side by side.
    pub fn of_pass(equations: &Equations) -> Source {
        Source {
            name: "pointwise",
            printed: PASS.to_string() + &equations.print("Equations0"),
            text: include_str!("../kernels/pointwise.cu"),
            layouts: LAYOUTS,
        }
    }
}
