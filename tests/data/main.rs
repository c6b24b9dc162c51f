//! Datasets as a program that uses the crate sees them, from files that the tests write.

mod batches;
mod cifar;
mod folder;
mod idx;
mod support;
mod synthetic;
