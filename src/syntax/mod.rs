//! Text to syntax tree and back. pest stays inside.

pub mod ast;
mod explain;
mod expression;
mod parse;
mod print;
mod scan;

pub use parse::{parse, parse_value};
pub use print::{print, print_expr};
