//! Tests of the engines against central differences, against naive loops, and against each
//! other.

mod forward;
mod frozen;
mod gradients;
mod joins;
mod mixed;
mod naive;
mod networks;
mod support;
mod timing;
mod training;
mod twins;
mod winograd;
