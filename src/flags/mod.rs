//! Flags of the commands: one table.
//!
//! Everything that depends on which flags there are reads their rows ([`Flag`]): the command
//! line and its help, what training is asked to do ([`Options`]), `config.json`, the command
//! that goes on with a run, the axes of a sweep, and the names that no param may have.

mod flag;
mod options;
mod table;
mod values;

pub use flag::{Flag, InSweep, Repeat, Target, Value};
pub use options::{FOLDER, IMAGES, LENGTH, MACHINE, Options, QUIET, SETTINGS, STOP, TRAIN};
pub use table::{
    BENCH, DESCRIBE, EMIT, EVAL, FMT, FORMAT, GRID, PARTS, PREDICT, REPORT, SCRIPT, is_flag,
};
pub use values::{
    Device, EngineKind, Format, NetworkFormat, OnOff, Order, Overrides, Precision,
    PredictionFormat, Resize, ScriptTarget, Split, Wanted, WeightsMatch, Which,
};
