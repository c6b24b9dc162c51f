//! `vanc`: a small language for neural networks and the compiler that trains them.
//!
//! A `.van` text goes through [`syntax`] (pest stays inside) to an AST, through
//! [`check`] to a typed [`ir::Model`], and from there to [`describe`] or to an engine
//! of [`engines`], which [`train`] drives over batches of [`data`]; [`sweep`] does so for a
//! grid of values and seeds.

pub mod check;
pub mod cli;
pub mod data;
pub mod describe;
pub mod diag;
pub mod engines;
pub mod error;
pub mod fetch;
mod files;
pub mod flags;
pub mod ir;
mod memory;
mod paint;
pub mod plan;
mod random;
#[cfg(feature = "report")]
pub mod report;
pub mod schedule;
pub mod span;
pub mod stop;
mod suggest;
pub mod sweep;
pub mod syntax;
pub mod tensor;
pub mod text;
pub mod train;
#[cfg(feature = "watch")]
pub mod watch;
mod words;
pub mod world;
