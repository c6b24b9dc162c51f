//! In which numbers a GPU computes.

use crate::error::{Error, Result};

/// How numbers are stored and multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single precision throughout.
    F32,
    /// Stored in single precision; products of matrices round their factors to 10 bits.
    #[default]
    Tf32,
    /// Activations and their gradients stored in bfloat16; weights, their gradients and
    /// all sums in single precision.
    Bf16,
}

impl Precision {
    /// What `--precision` takes.
    pub const NAMES: [&str; 3] = ["f32", "tf32", "bf16"];

    /// The precision called `name`.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "f32" => Ok(Precision::F32),
            "tf32" => Ok(Precision::Tf32),
            "bf16" => Ok(Precision::Bf16),
            _ => Err(
                Error::new(format!("--precision {name}: there is no such choice"))
                    .help(format!("give one of {}", Self::NAMES.join(", "))),
            ),
        }
    }

    /// What `--precision` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        }
    }
}
