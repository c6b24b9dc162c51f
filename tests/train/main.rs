//! The loop and what it leaves behind, over a small engine of the tests' own, so that
//! what is found here is the loop's.

mod checkpoint;
mod command;
mod divergence;
mod old_runs;
mod program;
mod resume;
mod run_folder;
mod support;
mod weights;
