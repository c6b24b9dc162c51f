//! Convolutions and linear layers: the three products of one, and their windows.

use super::buffer::Id;
use crate::ir::Shape;

/// Product of a convolution, or of a linear layer, whose windows are the one position of
/// a vector: y, ∂C/∂x or ∂C/∂W.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convolution {
    /// Kind of the product.
    pub pass: ConvPass,
    /// x; of the input's product, its gradient.
    pub x: Id,
    /// W, outputs × channels × rows × columns in PyTorch's order; of the weight's product,
    /// its gradient.
    pub weight: Id,
    /// y; of the products of backward steps, its gradient.
    pub y: Id,
    /// The windows of the forward step.
    pub window: Window,
    /// Method that computes the product.
    pub method: Method,
}

/// Kind of a product, with the operands that it alone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvPass {
    /// `y = x ⋆ W (+ b)`.
    Forward {
        /// Bias b, one an output.
        bias: Option<Id>,
        /// Two rows of padded channels for mean and variance of each output channel, as
        /// in [`super::Action::Statistics`], when a batch norm follows.
        statistics: Option<Id>,
    },
    /// `∂C/∂x`: the transposed convolution of ∂C/∂y with W.
    Input {
        /// Whether to add to what is there, not to replace it.
        add: bool,
    },
    /// `∂C/∂W[o,c,u] = Σ dy[n,p,o]·x[n,s·p+u,c]`, `∂C/∂b[o] = Σ dy[n,p,o]`.
    Weight {
        /// ∂C/∂b.
        bias: Option<Id>,
    },
}

/// Method that computes the three products of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Matrix product of images × inputs: windows that are the one position of a vector.
    Dense,
    /// Winograd's F(4×4, 3×3), for stride 2 with polyphase filters: less work, larger
    /// rounding errors.
    Winograd,
    /// Every window with every weight, by the definition.
    Direct,
}

/// Windows that slide over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns of the image.
    pub input: (usize, usize),
    /// Rows and columns of windows.
    pub output: (usize, usize),
    /// Rows and columns of a window.
    pub kernel: (usize, usize),
    /// Step s between windows.
    pub stride: usize,
    /// Zeros added on each side of the image.
    pub padding: usize,
}

impl Convolution {
    /// Returns the buffer of b, or of its gradient.
    pub fn bias(&self) -> Option<Id> {
        match self.pass {
            ConvPass::Forward { bias, .. } | ConvPass::Weight { bias } => bias,
            ConvPass::Input { .. } => None,
        }
    }

    /// Returns the rows that mean and variance of the output's channels go to.
    pub fn statistics(&self) -> Option<Id> {
        match self.pass {
            ConvPass::Forward { statistics, .. } => statistics,
            ConvPass::Input { .. } | ConvPass::Weight { .. } => None,
        }
    }

    /// Returns the product with mean and variance of the output's channels to `statistics`.
    pub fn with_statistics(self, statistics: Option<Id>) -> Convolution {
        let pass = match self.pass {
            ConvPass::Forward { bias, .. } => ConvPass::Forward { bias, statistics },
            pass @ (ConvPass::Input { .. } | ConvPass::Weight { .. }) => pass,
        };
        Convolution { pass, ..self }
    }
}

impl ConvPass {
    /// Returns a word for tables and profiles.
    pub(super) fn name(self) -> &'static str {
        match self {
            ConvPass::Forward { .. } => "convolve",
            ConvPass::Input { .. } => "convolve: input gradient",
            ConvPass::Weight { .. } => "convolve: weight gradient",
        }
    }
}

impl Window {
    /// The one position of a vector.
    pub const POINT: Window = Window {
        input: (1, 1),
        output: (1, 1),
        kernel: (1, 1),
        stride: 1,
        padding: 0,
    };

    /// Counts the positions in a window.
    pub fn area(self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// Counts the positions of the image.
    pub fn inputs(self) -> usize {
        self.input.0 * self.input.1
    }

    /// Counts the windows.
    pub fn outputs(self) -> usize {
        self.output.0 * self.output.1
    }
}

/// Makes the windows of a square kernel between two images.
pub(super) fn window(
    input: Shape,
    output: Shape,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Window {
    Window {
        input: input.extent(),
        output: output.extent(),
        kernel: (kernel, kernel),
        stride,
        padding,
    }
}
