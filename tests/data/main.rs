//! Tests of datasets as a program that uses the crate sees them, from files that they write.

mod batches;
mod cifar;
mod folder;
mod idx;
mod pictures;
mod support;
mod synthetic;
