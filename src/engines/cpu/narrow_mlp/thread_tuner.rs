//! Number of threads that are worth the barriers between them.
//!
//! A step of a narrow MLP is some hundred barriers. Where two cores are far apart, or
//! others use the machine, one thread can be done sooner than several; and since the
//! bits do not depend on the number of threads, it can be chosen by the clock.

use std::time::Duration;

/// Number of steps that each choice is timed for.
const TRIAL: u32 = 8;
/// Number of steps from one trial to the next.
const PERIOD: u32 = 512;

/// Choice of one thread or all of them, by the time that steps have taken lately.
pub struct ThreadTuner {
    all: usize,
    /// Number of steps since the last trial began.
    step: u32,
    /// Time that the trials took, with all threads and with one.
    took: [Duration; 2],
}

impl ThreadTuner {
    /// Makes a tuner for a pool of `all` threads.
    pub fn new(all: usize) -> ThreadTuner {
        ThreadTuner {
            all,
            step: 0,
            took: [Duration::ZERO; 2],
        }
    }

    /// Chooses the number of threads for the next step.
    pub fn threads(&self) -> usize {
        let one = match self.step {
            step if step < TRIAL => false,
            step if step < 2 * TRIAL => true,
            _ => self.took[1] < self.took[0],
        };
        if one { 1 } else { self.all }
    }

    /// Takes the time of the step that [`Self::threads`] was asked for.
    pub fn took(&mut self, time: Duration) {
        if self.step < 2 * TRIAL {
            self.took[(self.step / TRIAL) as usize] += time;
        }
        self.step += 1;
        if self.step == PERIOD {
            *self = ThreadTuner::new(self.all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists the thread counts of `steps` steps that take `duration(threads)` µs.
    fn chosen(tuner: &mut ThreadTuner, steps: u32, duration: impl Fn(usize) -> u64) -> Vec<usize> {
        let step = |_| {
            let threads = tuner.threads();
            tuner.took(Duration::from_micros(duration(threads)));
            threads
        };
        (0..steps).map(step).collect()
    }

    #[test]
    fn the_faster_choice_is_kept_and_tried_again() {
        let mut tuner = ThreadTuner::new(8);
        let far = chosen(
            &mut tuner,
            PERIOD,
            |threads| if threads == 1 { 10 } else { 20 },
        );
        let trial = TRIAL as usize;
        assert!(far[..trial].iter().all(|&t| t == 8) && far[trial..].iter().all(|&t| t == 1));
        let near = chosen(
            &mut tuner,
            PERIOD,
            |threads| if threads == 1 { 10 } else { 5 },
        );
        let (tried, kept) = near[trial..].split_at(trial);
        assert!(tried.iter().all(|&t| t == 1) && kept.iter().all(|&t| t == 8));
    }

    #[test]
    fn a_pool_of_one_stays_one() {
        let mut tuner = ThreadTuner::new(1);
        assert!(chosen(&mut tuner, 20, |_| 1).iter().all(|&t| t == 1));
    }
}
