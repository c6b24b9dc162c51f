//! Files of kernels.

use super::layout::Layout;
use super::prelude::{PRELUDE, PRELUDE_LAYOUTS};

/// A file of kernels.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, for messages and the cache.
    pub name: &'static str,
    /// What is printed for a network and stands before the text: equations.
    pub printed: String,
    /// Its text, without [`PRELUDE`].
    pub text: &'static str,
    /// The structures that it shares with Rust.
    pub layouts: &'static [Layout],
}

impl Source {
    /// The names of its kernels.
    pub fn kernels(&self) -> impl Iterator<Item = &'static str> + use<> {
        let after = self.text.split("extern \"C\" __global__ void ").skip(1);
        after.filter_map(|rest| rest.split('(').next())
    }

    /// All that is compiled.
    pub fn whole(&self) -> String {
        let layouts = PRELUDE_LAYOUTS.iter().chain(self.layouts);
        let assertions: String = layouts.map(Layout::assertions).collect();
        [PRELUDE, &self.printed, self.text, &assertions].concat()
    }
}

/// The start of files whose kernels are compiled with equations.
pub const PASS: &str = include_str!("kernels/pass.cuh");
