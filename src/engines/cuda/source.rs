//! Files of kernels.

use super::layout::Layout;
use super::prelude::{PRELUDE, PRELUDE_LAYOUTS};

/// File of kernels.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name of the file, for messages and the cache.
    pub name: &'static str,
    /// Equations, printed for a network; they stand before the text.
    pub printed: String,
    /// Text of the file, without [`PRELUDE`].
    pub text: &'static str,
    /// Structures that it shares with Rust.
    pub layouts: &'static [Layout],
}

impl Source {
    /// Lists the names of the file's kernels.
    pub fn kernels(&self) -> impl Iterator<Item = &'static str> + use<> {
        let after = self.text.split("extern \"C\" __global__ void ").skip(1);
        after.filter_map(|rest| rest.split('(').next())
    }

    /// Joins the text that is compiled: prelude, layouts, equations and kernels.
    pub fn whole(&self) -> String {
        let layouts = PRELUDE_LAYOUTS.iter().chain(self.layouts);
        let assertions: String = layouts.map(Layout::assertions).collect();
        [PRELUDE, &self.printed, self.text, &assertions].concat()
    }
}

/// Text that files begin with whose kernels are compiled with equations.
pub const PASS: &str = include_str!("kernels/pass.cuh");
