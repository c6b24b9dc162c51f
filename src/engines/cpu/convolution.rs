//! Convolutions and linear layers, and the kernel that computes each.

use super::kernels::dense::{self, DenseGeometry};
use super::kernels::{ConvGeometry, Moments, Pool, conv, pointwise, suits_winograd, winograd};
use super::map::Map;
use crate::plan::{ConvPass, Convolution, Method, Plan, Window};

/// Kernel for a convolution, and the sizes that it is given.
#[derive(Clone, Copy)]
pub enum Kernel {
    /// Product of rows.
    Dense(DenseGeometry),
    /// Winograd's method, for 3×3 windows of strides 1 and 2.
    Winograd(ConvGeometry),
    /// Products of patches.
    Patches(ConvGeometry),
}

/// Chooses the method for a convolution of so many input channels.
pub fn method(channels: usize, window: Window, winograd: bool) -> Method {
    if window == Window::POINT {
        return Method::Dense;
    }
    // Images of few channels are less work when packed without padding.
    let few = channels <= 3;
    let suits = suits_winograd(window.kernel, window.stride, window.padding);
    match winograd && !few && suits {
        true => Method::Winograd,
        false => Method::Direct,
    }
}

impl Kernel {
    /// Chooses the kernel for `c`, from activations `from` to `to`.
    pub fn new(c: &Convolution, from: Map, to: Map) -> Kernel {
        let geometry = ConvGeometry {
            batch: from.images,
            in_channels: from.channels,
            out_channels: to.channels,
            height: c.window.input.0,
            width: c.window.input.1,
            kernel: c.window.kernel,
            stride: c.window.stride,
            padding: c.window.padding,
        };
        match c.method {
            Method::Dense => Kernel::Dense(DenseGeometry {
                batch: from.images,
                inputs: from.channels,
                outputs: to.channels,
            }),
            Method::Winograd => Kernel::Winograd(geometry),
            Method::Direct => Kernel::Patches(geometry),
        }
    }
}

/// Counts the floats of scratch memory of a convolution of `plan`.
pub fn scratch(plan: &Plan, c: &Convolution, threads: usize) -> usize {
    let kernel = Kernel::new(c, Map::of_buffer(plan, c.x), Map::of_buffer(plan, c.y));
    match (c.pass, kernel) {
        (ConvPass::Forward { .. }, Kernel::Dense(g)) => dense::forward_scratch_len(&g),
        (ConvPass::Forward { .. }, Kernel::Winograd(g)) => {
            winograd::forward_scratch_len(&g, threads)
        }
        (ConvPass::Forward { .. }, Kernel::Patches(g)) => conv::forward_scratch_len(&g, threads),
        (ConvPass::Input { .. }, Kernel::Dense(g)) => dense::input_gradient_scratch_len(&g),
        (ConvPass::Input { .. }, Kernel::Winograd(g)) => {
            winograd::input_gradient_scratch_len(&g, threads)
        }
        (ConvPass::Input { .. }, Kernel::Patches(g)) => {
            conv::input_gradient_scratch_len(&g, threads)
        }
        (ConvPass::Weight { .. }, Kernel::Dense(_)) => dense::weight_gradient_scratch_len(threads),
        (ConvPass::Weight { .. }, Kernel::Winograd(g)) => {
            winograd::weight_gradient_scratch_len(&g, threads)
        }
        (ConvPass::Weight { .. }, Kernel::Patches(g)) => {
            conv::weight_gradient_scratch_len(&g, threads)
        }
    }
}

/// Computes `y = x ⋆ weight + bias`; mean and variance of y go to `statistics`, two rows
/// of padded channels.
pub fn forward(
    pool: &Pool,
    kernel: Kernel,
    x: &[f32],
    (weight, bias): (&[f32], Option<&[f32]>),
    (y, to): (&mut [f32], Map),
    statistics: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    let mut rows = statistics.map(|rows| rows.split_at_mut(to.stride));
    let moments = rows.as_mut().map(|(mean, variance)| Moments {
        mean: &mut mean[..to.channels],
        variance: &mut variance[..to.channels],
    });
    match kernel {
        Kernel::Dense(g) => return dense::forward(pool, &g, x, weight, bias, y, moments, scratch),
        Kernel::Winograd(g) => winograd::forward(pool, &g, x, weight, y, moments, scratch),
        Kernel::Patches(g) => conv::forward(pool, &g, x, weight, y, moments, scratch),
    }
    if let Some(bias) = bias {
        pointwise::add_bias(pool, bias, y);
        if let Some((mean, _)) = rows {
            mean.iter_mut().zip(bias).for_each(|(mean, b)| *mean += b);
        }
    }
}

/// Computes ∂C/∂x, added where `add` says so.
pub fn input_gradient(
    pool: &Pool,
    kernel: Kernel,
    (dy, weight): (&[f32], &[f32]),
    (dx, add): (&mut [f32], bool),
    scratch: &mut [f32],
) {
    match kernel {
        Kernel::Dense(g) => dense::input_gradient(pool, &g, dy, weight, dx, add, scratch),
        Kernel::Winograd(g) => winograd::input_gradient(pool, &g, dy, weight, dx, add, scratch),
        Kernel::Patches(g) => conv::input_gradient(pool, &g, dy, weight, dx, add, scratch),
    }
}

/// Computes ∂C/∂weight and ∂C/∂bias.
pub fn weight_gradient(
    pool: &Pool,
    kernel: Kernel,
    (x, dy): (&[f32], &[f32]),
    (dweight, dbias): (&mut [f32], Option<&mut [f32]>),
    scratch: &mut [f32],
) {
    match kernel {
        Kernel::Dense(g) => {
            return dense::weight_gradient(pool, &g, x, dy, 0, dweight, dbias, scratch);
        }
        Kernel::Winograd(g) => winograd::weight_gradient(pool, &g, x, dy, dweight, scratch),
        Kernel::Patches(g) => conv::weight_gradient(pool, &g, x, dy, dweight, scratch),
    }
    if let Some(dbias) = dbias {
        pointwise::bias_gradient(pool, dy, dbias);
    }
}
