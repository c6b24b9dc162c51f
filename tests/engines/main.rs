//! Engines against central differences, against naive loops, and against themselves.

mod cuda;
mod forward;
mod gradients;
mod joins;
mod naive;
mod networks;
mod support;
mod timing;
mod training;
mod twins;
mod winograd;
