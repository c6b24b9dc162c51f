//! `metrics.jsonl`: the numbers of a run, one JSON object a line.

mod line;
mod log;

pub use crate::flags::Split;
pub use line::{Line, SkipLine, best, mean_over};
pub use log::{Damage, Kept, Log, Metrics, read, read_log};
