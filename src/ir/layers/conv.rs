//! Convolutions.

use super::pools::windowed;
use super::{Op, Operation, OwnTensor, ShapeError};
use crate::ir::Shape;
use crate::ir::call::{
    Argument, Arguments, Conflict, ConflictKind, Integers, Kind, Literal, Refusal, Row, Slot,
};

/// Settings of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Output channels.
    pub out: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Step between windows.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
    /// Whether a bias per output channel is added.
    pub bias: bool,
    /// Whether the weight is a Dirac one: `diag(a)·δ + diag(b)·W/‖W‖`, norm over each
    /// output filter, δ the identity on the first `min(in, out)` channels at the
    /// kernel's centre. Zagoruyko & Komodakis 2017.
    pub dirac: bool,
}

pub(super) const ROW: Row<Op> = Row {
    name: "conv",
    doc: "a 2-D convolution",
    slots: &[
        Slot::first(
            "out",
            Kind::Int(Integers::Size(1)),
            Literal::Int(64),
            "output channels",
        ),
        Slot::needed(
            "kernel",
            Kind::Int(Integers::Size(1)),
            Literal::Int(3),
            "side of the square kernel",
        ),
        Slot::optional(
            "stride",
            Kind::Int(Integers::Size(1)),
            Literal::Int(1),
            "step between windows",
        ),
        Slot::optional(
            "padding",
            Kind::Padding,
            Literal::Word("same"),
            "zeros on each side; `same` is (kernel − 1)/2",
        ),
        Slot::optional(
            "bias",
            Kind::Bool,
            Literal::Bool(false),
            "whether a number a channel is added",
        ),
    ],
    build,
};

fn build(arguments: &Arguments) -> Result<Op, Refusal> {
    let kernel = arguments.size("kernel")?;
    Ok(Op::Conv(Conv {
        padding: padding(arguments, kernel)?,
        out: arguments.size("out")?,
        kernel,
        stride: arguments.size("stride")?,
        bias: arguments.bool("bias")?,
        dirac: arguments.in_dirac,
    }))
}

/// Pixels a side, where `same` needs a kernel with a centre.
fn padding(arguments: &Arguments, kernel: usize) -> Result<usize, Refusal> {
    let given = arguments.value("padding")?;
    if !matches!(given, Some(Argument::Word("same"))) {
        return arguments.size("padding");
    }
    if kernel % 2 == 1 {
        return Ok((kernel - 1) / 2);
    }
    let default = match arguments.is_given("padding") {
        true => "",
        false => ", the default,",
    };
    Err(Conflict {
        kind: ConflictKind::Value,
        message: format!("`padding: same`{default} needs an odd kernel, not {kernel}"),
        slot: "kernel",
        label: "an even kernel has no centre".to_string(),
        other: Some(("padding", "asked for here")),
        help: format!(
            "use a kernel of {} or {}, or give the padding in pixels: `padding: {}`",
            kernel - 1,
            kernel + 1,
            kernel / 2
        ),
    }
    .into())
}

impl Operation for Conv {
    fn name(&self) -> &str {
        ROW.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        windowed(
            ROW.name,
            input,
            (self.kernel, self.stride, self.padding),
            self.out,
        )
    }

    fn tensors(&self, input: Shape, output: Shape) -> Vec<OwnTensor> {
        let (cin, cout) = (input.channels(), output.channels());
        let shape = vec![cout, cin, self.kernel, self.kernel];
        OwnTensor::weighted(shape, self.bias, self.dirac)
    }

    fn multiply_adds(&self, input: Shape, output: Shape) -> u128 {
        let out = output.elements() as u128;
        out * input.channels() as u128 * (self.kernel as u128).pow(2)
    }

    fn words(&self, input: Shape, output: Shape) -> Vec<String> {
        let (cin, cout) = (input.channels(), output.channels());
        let mut words = vec![format!("conv {0}×{0}, {cin}→{cout}", self.kernel)];
        words.extend(stride_words(self.stride));
        let same = self.kernel % 2 == 1 && self.padding == self.kernel / 2;
        words.extend((!same).then(|| format!("padding {}", self.padding)));
        words.extend(self.bias.then(|| "bias".to_string()));
        words.extend(self.dirac.then(|| "dirac".to_string()));
        words
    }

    fn stride(&self) -> usize {
        self.stride
    }

    fn is_weighted(&self) -> bool {
        true
    }
}

/// The stride, unless it is 1.
pub(super) fn stride_words(stride: usize) -> Option<String> {
    (stride != 1).then(|| format!("stride {stride}"))
}
