//! Text to syntax tree and back. pest stays inside.

pub mod ast;
mod expression;
mod mistakes;
mod parse;
mod parse_error;
mod parse_failure;
mod prelude;
mod print;
mod punctuation;
mod scan;

pub use parse::{parse, parse_prelude, parse_value};
pub use print::{print, print_expr, print_operand};
