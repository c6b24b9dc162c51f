//! Convolutions.

use super::operation::{Operation, ShapeError};
use super::pools::windowed;
use crate::ir::call::{Arguments, Conflict, ConflictKind, Kind, Literal, Refusal, Row, Slot};
use crate::ir::role::OwnTensor;
use crate::ir::shape::Shape;

/// Settings of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Output channels.
    pub out: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Step s between windows.
    pub stride: usize,
    /// Zeros p added on each side.
    pub padding: usize,
    /// Whether a bias per output channel is added.
    pub bias: bool,
    /// Whether the weight is a Dirac one: `diag(a)·δ + diag(b)·W/‖W‖`, norm over each
    /// output filter, δ the identity on the first `min(in, out)` channels at the
    /// kernel's centre. Zagoruyko & Komodakis 2017.
    pub dirac: bool,
}

pub(super) const ROW: Row<Conv> = Row {
    name: "conv",
    doc: "a 2-D convolution",
    slots: &[
        Slot::new("out", Kind::SIZE, "output channels").first(Literal::Int(64)),
        Slot::new("kernel", Kind::SIZE, "side of the square kernel").needed(Literal::Int(3)),
        Slot::new("stride", Kind::SIZE, "step between windows").or(Literal::Int(1)),
        Slot::new(
            "padding",
            Kind::Padding,
            "zeros a side; `same` is (kernel − 1)/2",
        )
        .or(Literal::Word("same")),
        Slot::new("bias", Kind::Bool, "whether each channel has a bias").or(Literal::Bool(false)),
    ],
    build,
};

fn build(arguments: &Arguments) -> Result<Conv, Refusal> {
    let kernel: usize = arguments.get("kernel")?;
    Ok(Conv {
        padding: padding(arguments, kernel)?,
        out: arguments.get("out")?,
        kernel,
        stride: arguments.get("stride")?,
        bias: arguments.get("bias")?,
        dirac: arguments.in_dirac,
    })
}

/// Counts the pixels a side, where `same` needs a kernel with a centre.
fn padding(arguments: &Arguments, kernel: usize) -> Result<usize, Refusal> {
    if let Ok(pixels) = arguments.get("padding") {
        return Ok(pixels);
    }
    // What is no number is the word `same`, or a mistake.
    arguments.get::<&str>("padding")?;
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

    fn kept(&self, input: Shape, output: Shape) -> f64 {
        output.elements() as f64 + patches(self.kernel, input, output)
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

/// Counts the numbers in the windows that a convolution makes of one sample, each written out.
pub(super) fn patches(kernel: usize, input: Shape, output: Shape) -> f64 {
    match kernel {
        1 => 0.0,
        k => output.positions() as f64 * (k * k * input.channels()) as f64,
    }
}

/// Writes the stride, unless it is 1.
pub(super) fn stride_words(stride: usize) -> Option<String> {
    (stride != 1).then(|| format!("stride {stride}"))
}
