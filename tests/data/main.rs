//! Datasets as a program that uses the crate sees them, from files that the tests write.

mod batches;
mod support;
mod synthetic;
