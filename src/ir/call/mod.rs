//! Rows of the tables that the language is made of.
//!
//! A layer, a policy, a dataset or a setting of the training is written as a call, and
//! stands in a table as one [`Row`]: its name, what it takes, and how its arguments
//! become a part of the network. Checks, error messages, help and the reference read
//! the tables; nothing else lists their names.

mod arguments;
mod refusal;
mod row;
mod slot;

pub use arguments::{Argument, Arguments, Given};
pub use refusal::{Conflict, ConflictKind, Refusal};
pub use row::{Row, find, names};
pub use slot::{Bounds, Integers, Kind, Literal, MAX_COUNT, MAX_SIZE, Slot, SlotDefault, words};
