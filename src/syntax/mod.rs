//! Text to syntax tree and back. pest stays inside.

pub mod ast;
mod expression;
mod grammar;
mod mistake;
mod mistakes;
mod parse;
mod parse_error;
mod parse_failure;
mod print;
mod punctuation;
mod scan;

pub use parse::{parse, parse_value};
pub use print::{print, print_expr, print_operand};
