//! Sweeps: a [`grid`] of runs of `vanc train`, each a process of its own, several at once.
//!
//! ```text
//! DIR/sweep.json          the grid and the settings          (settings)
//! DIR/FILE.van            a copy of the file that is trained (folder)
//! DIR/runs/NAME/          a run's own folder                 (run_folder of train)
//! DIR/runs/NAME/log.txt   what the run printed; its lock     (run_lock)
//! DIR/runs/NAME/outcome.json  how the run ended              (outcome)
//! DIR/results.csv, .jsonl a row a run, in the grid's order   (results)
//! ```
//!
//! A run is done once its `outcome.json` says so, which is written after its process has
//! ended well. Whatever is killed before, the next start finds the run without it and
//! resumes the run's own folder, so no run is lost and none is counted twice. Several
//! sweeps may work in one folder, on one machine or on many that share it: a run belongs
//! to whoever holds the lock on its log.

pub mod emit;
pub mod folder;
pub mod grid;
pub mod outcome;
pub mod progress;
mod range;
pub mod results;
mod run_lock;
pub mod runner;
pub mod settings;
pub mod shard;
