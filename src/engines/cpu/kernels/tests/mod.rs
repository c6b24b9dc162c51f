//! Tests of every kernel against loops in double precision, on every instruction set and
//! several numbers of threads, which must agree to the bit.

mod convolutions;
mod layers;
mod normalise;
pub mod support;
