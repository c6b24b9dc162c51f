//! Rows of the tables that the language is made of.
//!
//! A layer, a policy, a dataset or a setting of the training is written as a call, and
//! stands in a table as one [`Row`]: its name, what it takes, and how its arguments
//! become a part of the network. Checks, error messages, help and the reference read
//! the tables; nothing else lists their names.

mod arguments;
mod slot;

pub use arguments::{Argument, Arguments, Given};
pub use slot::{Bounds, Integers, Kind, Literal, MAX_COUNT, MAX_SIZE, Slot, SlotDefault};

/// A name that can be called, with what it takes and what it makes.
#[derive(Clone, Debug)]
pub struct Row<T: 'static> {
    /// Name in a `.van` file.
    pub name: &'static str,
    /// One line about it.
    pub doc: &'static str,
    /// What it takes, in the order of places.
    pub slots: &'static [Slot<'static>],
    /// Makes a part of the network of checked arguments.
    pub build: fn(&Arguments) -> Result<T, Refusal>,
}

/// Why nothing is made of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An argument is missing or wrong by itself, which is reported where it stands.
    Unsound,
    /// Arguments that are right by themselves do not go together.
    Conflict(Box<Conflict>),
}

/// Arguments that do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Group of the mistake.
    pub kind: ConflictKind,
    /// The mistake in a sentence.
    pub message: String,
    /// The slot whose argument is underlined.
    pub slot: &'static str,
    /// Text under it.
    pub label: String,
    /// Another slot that is underlined if it is given, with the text under it.
    pub other: Option<(&'static str, &'static str)>,
    /// What to do.
    pub help: String,
}

/// Group that a [`Conflict`] is reported in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// A value is wrong beside another.
    Value,
    /// The training cannot be so.
    Train,
}

impl From<Conflict> for Refusal {
    fn from(conflict: Conflict) -> Self {
        Refusal::Conflict(Box::new(conflict))
    }
}

/// The row called `name`.
pub fn find<'r, T>(rows: &'r [Row<T>], name: &str) -> Option<&'r Row<T>> {
    rows.iter().find(|row| row.name == name)
}

/// The names of `rows`, in their order.
pub fn names<T>(rows: &[Row<T>]) -> Vec<&'static str> {
    rows.iter().map(|row| row.name).collect()
}

/// The words of `pairs`, each of which stands for the value beside it.
pub(super) const fn words<T, const N: usize>(pairs: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut index = 0;
    while index < N {
        words[index] = pairs[index].0;
        index += 1;
    }
    words
}
