//! Text to syntax tree and back. pest stays inside.

pub mod ast;
mod explain;
mod expression;
mod fault;
mod known;
mod parse;
mod print;
mod scan;
mod signs;

pub use parse::{parse, parse_value};
pub use print::{print, print_expr, print_operand};
