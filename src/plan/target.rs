//! The engine that a plan is made for.

use super::convolution::{Method, Window};
use super::layout::Plan;
use super::step::Step;

/// Engine that will run the plan, as far as the plan must know it.
pub trait Target {
    /// Returns the number that channels of activations are padded to a multiple of.
    fn lanes(&self) -> usize;

    /// Chooses the method for the three products of a convolution of so many input channels.
    fn method(&self, channels: usize, window: Window) -> Method;

    /// Counts the floats of scratch memory that the step wants while it runs.
    fn workspace(&self, plan: &Plan, step: &Step) -> usize;

    /// Counts the floats of scratch memory wanted from the first step to the last, asked
    /// once all buffers have their places.
    fn scratch(&self, _plan: &Plan) -> usize {
        0
    }
}
