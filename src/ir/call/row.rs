//! Rows of a table.

use super::arguments::Arguments;
use super::refusal::Refusal;
use super::slot::Slot;

/// A name that can be called, with what it takes and what it makes.
#[derive(Clone, Debug)]
pub struct Row<T: 'static> {
    /// Name in a `.van` file.
    pub name: &'static str,
    /// Description in one line.
    pub doc: &'static str,
    /// Slots that it takes, in the order of places.
    pub slots: &'static [Slot<'static>],
    /// Makes a part of the network of checked arguments.
    pub build: fn(&Arguments) -> Result<T, Refusal>,
}

/// Finds the row called `name`.
pub fn find<'r, T>(rows: &'r [Row<T>], name: &str) -> Option<&'r Row<T>> {
    rows.iter().find(|row| row.name == name)
}

/// Lists the names of `rows`, in their order.
pub fn names<T>(rows: &[Row<T>]) -> Vec<&'static str> {
    rows.iter().map(|row| row.name).collect()
}
