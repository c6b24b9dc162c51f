//! The grammar.

/// Parser that pest generates from the grammar.
#[derive(pest_derive::Parser)]
#[grammar = "../grammar/van.pest"]
pub(super) struct Grammar;
