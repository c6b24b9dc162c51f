//! Several processes that train one network together, each on a GPU of its own.
//!
//! A launcher starts the same command several times ([`World`] reads what it sets). Rank 0
//! runs it as a single process would: it has the data, the run folder and the log, and
//! evaluates. Each training call of its engine is sent to the other ranks first
//! ([`leader`]), which repeat it ([`worker`]) with the same images and weights; every
//! engine computes the gradients of its part of a batch, and NCCL sums them on the GPUs
//! (`engines::cuda`'s exchange). Weights and images go over TCP at the beginning alone.
//!
//! Who does not know the shared [`Secret`] is sent away before it can say or learn more
//! (`handshake`); what follows is neither encrypted nor signed.

mod address;
mod environment;
mod handshake;
mod host;
pub mod leader;
mod links;
mod rendezvous;
mod secret;
mod wire;
pub mod worker;

pub use environment::World;
pub use links::Links;
pub use rendezvous::{LIMIT, Settings, join, lead};
pub use secret::Secret;

#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tests;
