//! Values that name each other.

use crate::ir::expr::{Binary, Compare, Unary};

/// Value of a builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value(pub(super) usize);

/// Origin of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// Constant, by its bits.
    Number(u32),
    /// Elements of the array with this index.
    Array(usize),
    /// Entries of the table with this index.
    Table(usize),
    Unary(Unary, Value),
    Binary(Binary, Value, Value),
    /// Select of [`crate::ir::expr::Node::Select`]: left, right, then, otherwise.
    Select(Compare, [Value; 4]),
}

impl Node {
    /// Lists the values that the node is computed of.
    pub fn operands(&self) -> impl Iterator<Item = Value> {
        let (all, count) = match *self {
            Node::Number(_) | Node::Array(_) | Node::Table(_) => ([Value(0); 4], 0),
            Node::Unary(_, x) => ([x; 4], 1),
            Node::Binary(_, a, b) => ([a, b, a, b], 2),
            Node::Select(_, all) => (all, 4),
        };
        all.into_iter().take(count)
    }
}

/// Use of a value beyond the program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// Store to an array; past the channels as 0.
    Store {
        /// Value that is written.
        value: Value,
        /// Index of the array.
        array: usize,
        /// Whether it is added to what is there.
        add: bool,
    },
    /// Sum over rows, at this output's place among the sums.
    Sum(Value),
}

impl Output {
    pub(super) fn value(self) -> Value {
        match self {
            Output::Store { value, .. } | Output::Sum(value) => value,
        }
    }
}
