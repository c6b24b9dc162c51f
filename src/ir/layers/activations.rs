//! Activations: functions of each element.

use super::{Op, Operation, ShapeError};
use crate::ir::Shape;
use crate::ir::call::{Arguments, Bounds, Kind, Literal, Refusal, Row, Slot};

/// Settings of an `elu`.
#[derive(Clone, Debug, PartialEq)]
pub struct Elu {
    /// The limit for x → −∞, negated.
    pub alpha: f64,
}

/// Settings of a `leaky_relu`.
#[derive(Clone, Debug, PartialEq)]
pub struct LeakyRelu {
    /// Slope of the negative half.
    pub slope: f64,
}

/// `max(x, 0)`.
pub(super) struct Relu;
/// `[max(x, 0), max(−x, 0)]`.
pub(super) struct Crelu;
/// Hyperbolic tangent.
pub(super) struct Tanh;
/// `1/(1 + e⁻ˣ)`.
pub(super) struct Sigmoid;

const ELU_DEFAULT: Elu = Elu { alpha: 1.0 };
const LEAKY_RELU_DEFAULT: LeakyRelu = LeakyRelu { slope: 0.01 };

pub(super) const RELU: Row<Op> = Row {
    name: "relu",
    doc: "max(x, 0)",
    slots: &[],
    build: |_| Ok(Op::Relu),
};

pub(super) const ELU: Row<Op> = Row {
    name: "elu",
    doc: "x where positive, else alpha·(eˣ − 1)",
    slots: &[Slot::optional(
        "alpha",
        Kind::Float(Bounds::NotNegative),
        Literal::Float(ELU_DEFAULT.alpha),
        "the limit for x → −∞, negated",
    )],
    build: build_elu,
};

pub(super) const LEAKY_RELU: Row<Op> = Row {
    name: "leaky_relu",
    doc: "x where positive, else slope·x",
    slots: &[Slot::optional(
        "slope",
        Kind::Float(Bounds::Any),
        Literal::Float(LEAKY_RELU_DEFAULT.slope),
        "slope of the negative half",
    )],
    build: build_leaky_relu,
};

pub(super) const CRELU: Row<Op> = Row {
    name: "crelu",
    doc: "max(x, 0) beside max(−x, 0), along channels",
    slots: &[],
    build: |_| Ok(Op::Crelu),
};

pub(super) const TANH: Row<Op> = Row {
    name: "tanh",
    doc: "the hyperbolic tangent",
    slots: &[],
    build: |_| Ok(Op::Tanh),
};

pub(super) const SIGMOID: Row<Op> = Row {
    name: "sigmoid",
    doc: "1/(1 + e⁻ˣ)",
    slots: &[],
    build: |_| Ok(Op::Sigmoid),
};

fn build_elu(arguments: &Arguments) -> Result<Op, Refusal> {
    let alpha = arguments.float("alpha")?;
    Ok(Op::Elu(Elu { alpha }))
}

fn build_leaky_relu(arguments: &Arguments) -> Result<Op, Refusal> {
    let slope = arguments.float("slope")?;
    Ok(Op::LeakyRelu(LeakyRelu { slope }))
}

impl Operation for Relu {
    fn name(&self) -> &'static str {
        RELU.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input)
    }
}

impl Operation for Elu {
    fn name(&self) -> &'static str {
        ELU.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input)
    }

    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        let alpha = self.alpha;
        let mut words = vec![ELU.name.to_string()];
        words.extend((*self != ELU_DEFAULT).then(|| format!("alpha {alpha}")));
        words
    }
}

impl Operation for LeakyRelu {
    fn name(&self) -> &'static str {
        LEAKY_RELU.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input)
    }

    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        let slope = self.slope;
        let mut words = vec![LEAKY_RELU.name.to_string()];
        words.extend((*self != LEAKY_RELU_DEFAULT).then(|| format!("slope {slope}")));
        words
    }
}

impl Operation for Crelu {
    fn name(&self) -> &'static str {
        CRELU.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input.with_channels(2 * input.channels()))
    }
}

impl Operation for Tanh {
    fn name(&self) -> &'static str {
        TANH.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input)
    }
}

impl Operation for Sigmoid {
    fn name(&self) -> &'static str {
        SIGMOID.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input)
    }
}
