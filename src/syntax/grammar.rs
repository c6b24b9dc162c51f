//! The grammar.

/// The parser that pest makes of the grammar.
#[derive(pest_derive::Parser)]
#[grammar = "../grammar/van.pest"]
pub(super) struct Grammar;
