//! Clock of the steps of a plan.

use std::time::Instant;

/// Clock that adds up the seconds of each step, where they are wanted.
pub struct Clock<'a> {
    times: Option<&'a mut Vec<f64>>,
    last: Instant,
}

impl<'a> Clock<'a> {
    /// Starts a clock; `times` has a place for each step of the plan.
    pub fn new(times: Option<&'a mut Vec<f64>>) -> Self {
        Clock {
            times,
            last: Instant::now(),
        }
    }

    /// Adds the time since the last call to that of the step with this index in
    /// [`crate::plan::Plan::steps`].
    pub fn tick(&mut self, step: usize) {
        let Some(time) = self.times.as_mut().and_then(|times| times.get_mut(step)) else {
            return;
        };
        let now = Instant::now();
        *time += (now - self.last).as_secs_f64();
        self.last = now;
    }
}
