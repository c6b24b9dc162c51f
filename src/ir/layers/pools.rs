//! Pools, and the shape that windows make of an image.

use super::operation::{Operation, ShapeError};
use crate::ir::call::{Arguments, Kind, Literal, Refusal, Row, Slot};
use crate::ir::shape::Shape;

/// Settings of a pooling layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Reduction of each window.
    pub kind: PoolKind,
    /// Side of the square window.
    pub kernel: usize,
    /// Step s between windows.
    pub stride: usize,
}

/// Reduction of a window to one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest value.
    Max,
    /// The mean of its values.
    Mean,
}

/// Mean over all positions.
pub(super) struct GlobalAvgPool;

const SLOTS: &[Slot<'static>] = &[
    Slot::new("kernel", Kind::SIZE, "side of the square window").needed(Literal::Int(2)),
    Slot::new(
        "stride",
        Kind::SIZE,
        "step between windows; by default the kernel",
    ),
];

pub(super) const MAX_POOL: Row<Pool> = Row {
    name: "max_pool",
    doc: "the largest value of each window",
    slots: SLOTS,
    build: |arguments| pool(PoolKind::Max, arguments),
};

pub(super) const AVG_POOL: Row<Pool> = Row {
    name: "avg_pool",
    doc: "the mean of each window",
    slots: SLOTS,
    build: |arguments| pool(PoolKind::Mean, arguments),
};

pub(super) const GLOBAL_AVG_POOL: Row<GlobalAvgPool> = Row {
    name: "global_avg_pool",
    doc: "the mean of each channel over all positions",
    slots: &[],
    build: |_| Ok(GlobalAvgPool),
};

fn pool(kind: PoolKind, arguments: &Arguments) -> Result<Pool, Refusal> {
    let kernel: usize = arguments.get("kernel")?;
    let stride = arguments.optional("stride")?.unwrap_or(kernel);
    Ok(Pool {
        kind,
        kernel,
        stride,
    })
}

impl Operation for Pool {
    fn name(&self) -> &str {
        match self.kind {
            PoolKind::Max => MAX_POOL.name,
            PoolKind::Mean => AVG_POOL.name,
        }
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        let window = (self.kernel, self.stride, 0);
        windowed(self.name(), input, window, input.channels())
    }

    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        let mut words = vec![format!("{} {1}×{1}", self.name(), self.kernel)];
        if self.stride != self.kernel {
            words.push(format!("stride {}", self.stride));
        }
        words
    }

    fn stride(&self) -> usize {
        self.stride
    }
}

impl Operation for GlobalAvgPool {
    fn name(&self) -> &str {
        GLOBAL_AVG_POOL.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        match input {
            Shape::Image { channels, .. } => Ok(Shape::Flat(channels)),
            Shape::Flat(_) => Err(ShapeError::new(
                format!(
                    "`global_avg_pool` takes an image, but gets {}",
                    input.described()
                ),
                "averages over positions",
                "remove it: a vector has no positions",
            )),
        }
    }
}

/// Computes `(size + 2·padding − kernel)/stride + 1`, or `None` where no window fits.
pub(super) fn windows(size: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    let free = (size + 2 * padding).checked_sub(kernel)?;
    Some(free / stride + 1)
}

/// Computes the shape of `channels` over the windows of an image: kernel, stride and padding.
pub(super) fn windowed(
    layer: &str,
    input: Shape,
    (kernel, stride, padding): (usize, usize, usize),
    channels: usize,
) -> Result<Shape, ShapeError> {
    let Shape::Image { height, width, .. } = input else {
        return Err(ShapeError::new(
            format!("`{layer}` takes an image, but gets {}", input.described()),
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
