//! The shape each layer makes of what it is given, as pure functions.

use crate::ir::{Conv, ConvGate, Layer, Op, Pool, Shape, Shortcut};

/// Why a layer cannot take a shape, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShapeError {
    pub message: String,
    /// Said under the layer.
    pub label: String,
    pub help: String,
}

impl ShapeError {
    fn new(message: impl Into<String>, label: impl Into<String>, help: impl Into<String>) -> Self {
        ShapeError {
            message: message.into(),
            label: label.into(),
            help: help.into(),
        }
    }
}

/// The shape in a sentence.
pub(super) fn described(shape: Shape) -> String {
    match shape {
        Shape::Image { .. } => format!("an image of {shape}"),
        Shape::Flat(_) => format!("a vector of {shape}"),
    }
}

/// `(size + 2·padding − kernel)/stride + 1`, or `None` where no window fits.
pub(super) fn windows(size: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    let free = (size + 2 * padding).checked_sub(kernel)?;
    Some(free / stride + 1)
}

fn windowed(
    layer: &str,
    input: Shape,
    kernel: usize,
    stride: usize,
    padding: usize,
    channels: usize,
) -> Result<Shape, ShapeError> {
    let Shape::Image { height, width, .. } = input else {
        return Err(ShapeError::new(
            format!("`{layer}` takes an image, but gets {}", described(input)),
            "takes channels × height × width",
            format!("move `{layer}` before the layer that makes a vector"),
        ));
    };
    match (
        windows(height, kernel, stride, padding),
        windows(width, kernel, stride, padding),
    ) {
        (Some(h), Some(w)) => Ok(Shape::image(channels, h, w)),
        _ => {
            let fits = height.min(width) + 2 * padding;
            Err(ShapeError::new(
                format!(
                    "the {kernel}×{kernel} kernel of `{layer}` is larger than its image of \
                     {height}×{width}"
                ),
                match padding {
                    0 => "no window fits".to_string(),
                    n => format!("no window fits, not even with padding {n}"),
                },
                match layer {
                    "conv" => format!("use `padding: same`, or a kernel of at most {fits}"),
                    _ => format!("use a kernel of at most {fits}, or shrink the image less before"),
                },
            ))
        }
    }
}

pub(super) fn conv(input: Shape, conv: &Conv) -> Result<Shape, ShapeError> {
    windowed(
        "conv",
        input,
        conv.kernel,
        conv.stride,
        conv.padding,
        conv.out,
    )
}

pub(super) fn pool(layer: &str, input: Shape, pool: &Pool) -> Result<Shape, ShapeError> {
    windowed(layer, input, pool.kernel, pool.stride, 0, input.channels())
}

pub(super) fn global_avg_pool(input: Shape) -> Result<Shape, ShapeError> {
    match input {
        Shape::Image { channels, .. } => Ok(Shape::Flat(channels)),
        Shape::Flat(_) => Err(ShapeError::new(
            format!(
                "`global_avg_pool` takes an image, but gets {}",
                described(input)
            ),
            "averages over positions",
            "remove it: a vector has no positions",
        )),
    }
}

/// x and the body's output joined along channels.
pub(super) fn concat(input: Shape, body: Shape) -> Result<Shape, ShapeError> {
    let joined = input.channels() + body.channels();
    if input.with_channels(1) == body.with_channels(1) {
        return Ok(input.with_channels(joined));
    }
    Err(ShapeError::new(
        format!("`concat` cannot join {input} and {body}: only their channels may differ"),
        format!("takes {input} and joins it to what its body gives"),
        "keep height and width in the body (stride 1, `padding: same`), and pool after it",
    ))
}

/// The product of all strides on the way through a body.
fn total_stride(body: &[Layer]) -> usize {
    let strides = body.iter().map(|layer| match &layer.op {
        Op::Conv(conv) => conv.stride,
        Op::MaxPool(pool) | Op::AvgPool(pool) => pool.stride,
        Op::Skip(skip) => total_stride(&skip.body),
        Op::Concat { .. }
        | Op::Linear(_)
        | Op::BatchNorm { .. }
        | Op::Relu
        | Op::Elu { .. }
        | Op::LeakyRelu { .. }
        | Op::Crelu
        | Op::Tanh
        | Op::Sigmoid
        | Op::GlobalAvgPool
        | Op::Flatten
        | Op::Dropout { .. } => 1,
    });
    strides.fold(1, |product, stride| product.saturating_mul(stride))
}

/// The step between positions that takes `input` to the positions of `output`: the
/// body's own strides where they do, else the smallest that does.
fn shortcut_stride(input: Shape, output: Shape, body: &[Layer]) -> Option<usize> {
    let (
        Shape::Image { height, width, .. },
        Shape::Image {
            height: h,
            width: w,
            ..
        },
    ) = (input, output)
    else {
        return (input.positions() == 1 && output.positions() == 1).then_some(1);
    };
    let fits = |s: usize| windows(height, 1, s, 0) == Some(h) && windows(width, 1, s, 0) == Some(w);
    let own = total_stride(body);
    if fits(own) {
        return Some(own);
    }
    (1..=height.max(width)).find(|&s| fits(s))
}

/// s(x) for a body that makes `output` of `input`; `project` is the word in the file.
pub(super) fn shortcut(
    input: Shape,
    output: Shape,
    body: &[Layer],
    project: Option<&str>,
) -> Result<Shortcut, ShapeError> {
    if input == output {
        return Ok(Shortcut::Identity);
    }
    let takes = format!("takes {}", described(input));
    if project == Some("none") {
        return Err(ShapeError::new(
            format!("the body changes {input} to {output}, which `project: none` forbids"),
            takes,
            "write `project: conv1x1` or `project: pad`, or keep the shape in the body",
        ));
    }
    if input.is_image() != output.is_image() {
        return Err(ShapeError::new(
            "the body of a `skip` changes an image to a vector, so x cannot be added",
            takes,
            "move the layer that makes a vector out of the `skip`, after it",
        ));
    }
    let Some(stride) = shortcut_stride(input, output, body) else {
        return Err(ShapeError::new(
            format!("the body changes {input} to {output}, and no stride takes x to that size"),
            takes,
            "use `padding: same` in the body, so that only strides change the size",
        ));
    };
    match project {
        Some("pad") if output.channels() < input.channels() => Err(ShapeError::new(
            format!("`project: pad` only adds channels, but the body changes {input} to {output}"),
            takes,
            "write `project: conv1x1`",
        )),
        Some("pad") => Ok(Shortcut::Pad { stride }),
        _ => Ok(Shortcut::Conv1x1 { stride }),
    }
}

/// The first convolution or linear layer of a body, in the order in which it runs.
fn first_weighted(body: &[Layer]) -> Option<&Op> {
    body.iter().find_map(|layer| match &layer.op {
        op @ (Op::Conv(_) | Op::Linear(_)) => Some(op),
        op => first_weighted(op.body()),
    })
}

/// The geometry of a highway's gate, which must make the positions of `output`.
pub(super) fn gate(input: Shape, output: Shape, body: &[Layer]) -> Result<ConvGate, ShapeError> {
    let gate = match first_weighted(body) {
        Some(Op::Conv(conv)) => ConvGate {
            kernel: conv.kernel,
            stride: conv.stride,
            padding: conv.padding,
        },
        _ => ConvGate {
            kernel: 1,
            stride: shortcut_stride(input, output, body).unwrap_or(1),
            padding: 0,
        },
    };
    let channels = output.channels();
    let made = windowed(
        "gate",
        input,
        gate.kernel,
        gate.stride,
        gate.padding,
        channels,
    );
    if made == Ok(output) {
        return Ok(gate);
    }
    let made = match made {
        Ok(made) => format!("the gate of a `highway` gives {made}, but its body gives {output}"),
        Err(_) => format!("the gate of a `highway` does not fit on {input}"),
    };
    Err(ShapeError::new(
        made,
        format!(
            "its gate is one conv like its body's first: kernel {}, stride {}",
            gate.kernel, gate.stride
        ),
        "put the whole stride into the body's first `conv`, and use `padding: same`",
    ))
}

/// The product of extents, without overflow.
pub(super) fn product(extents: &[usize]) -> u128 {
    extents
        .iter()
        .fold(1u128, |all, &n| all.saturating_mul(n as u128))
}

/// The elements of a shape, without overflow.
pub(super) fn elements(shape: Shape) -> u128 {
    product(&shape.dims())
}
