//! Tests of the training loop and its files, over a small engine of the tests' own, so that
//! any failure is the loop's.

mod checkpoint;
mod command;
mod divergence;
mod old_runs;
mod program;
mod reschedule;
mod resume;
mod run_folder;
mod support;
mod weights;
