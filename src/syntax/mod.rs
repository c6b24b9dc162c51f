//! Source text to syntax tree, and the tree back to text. pest is used here only.

pub mod ast;
mod characters;
mod expression;
mod grammar;
mod mend;
mod mistake;
mod mistakes;
mod parse;
mod parse_error;
mod parse_failure;
mod prelude;
mod print;
mod punctuation;
mod scan;

pub use parse::{Parsed, parse, parse_prelude, parse_value, read};
pub use print::{print, print_expr, print_operand};
