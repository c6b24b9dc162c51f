//! Several processes that train one network together, each on a GPU of its own.
//!
//! A starter ([`World`] reads what it sets) starts the same command so many times. Rank 0
//! runs it as one process alone would: it has the data, the run folder and the log, and
//! evaluates. What its engine is called to do in training goes to the others first
//! ([`leader`]), who do the same ([`worker`]) with the same images and weights; every
//! engine computes the gradients of its part of a batch, and NCCL sums them on the cards
//! (`engines::cuda`'s exchange). Numbers of the network go over TCP at the beginning alone.

mod environment;
pub mod leader;
mod links;
mod rendezvous;
mod wire;
pub mod worker;

pub use environment::World;
pub use links::Links;
pub use rendezvous::{LIMIT, Settings, join, lead};

#[cfg(test)]
mod tests;
