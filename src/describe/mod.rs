//! A network for people and for programs: table, JSON, DOT.

mod cost;
mod dot;
mod json;
mod plan;
mod skips;
mod table;
mod train;
mod words;

pub use crate::text::count;
pub use cost::{Cost, Totals, own_cost, totals};
pub use dot::dot;
pub use json::json;
pub use plan::{plan_json, plan_table};
pub use skips::skip_notes;
pub use table::table;
pub use train::train_section;
pub use words::layer_words;
