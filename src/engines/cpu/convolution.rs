//! Convolutions and linear layers: which kernel computes one.

use super::Cpu;
use super::kernels::dense::{self, DenseGeometry};
use super::kernels::{ConvGeometry, Moments, Pool, conv, pointwise, winograd};
use super::map::Map;
use crate::plan::Window;

/// The kernel for a convolution.
#[derive(Clone, Copy)]
enum Method {
    /// A product of rows.
    Dense(DenseGeometry),
    /// Winograd's, for 3×3 windows of strides 1 and 2.
    Winograd(ConvGeometry),
    /// Of patches.
    Patches(ConvGeometry),
}

impl Method {
    fn new(from: Map, to: Map, window: Window, winograd: bool) -> Method {
        if window == Window::POINT {
            return Method::Dense(DenseGeometry {
                batch: from.images,
                inputs: from.channels,
                outputs: to.channels,
            });
        }
        let geometry = ConvGeometry {
            batch: from.images,
            in_channels: from.channels,
            out_channels: to.channels,
            height: window.input.0,
            width: window.input.1,
            kernel: window.kernel,
            stride: window.stride,
            padding: window.padding,
        };
        // Images of few channels are less work when packed without padding.
        let few = geometry.in_channels <= 3;
        match winograd && !few && geometry.is_winograd() {
            true => Method::Winograd(geometry),
            false => Method::Patches(geometry),
        }
    }
}

/// Scratch of [`forward`].
pub fn forward_scratch(from: Map, to: Map, window: Window, cpu: Cpu) -> usize {
    match Method::new(from, to, window, cpu.winograd) {
        Method::Dense(g) => dense::forward_scratch_len(&g),
        Method::Winograd(g) => winograd::forward_scratch_len(&g, cpu.threads),
        Method::Patches(g) => conv::forward_scratch_len(&g, cpu.threads),
    }
}

/// `y = x ⋆ weight + bias`; mean and variance of y go to `statistics`, two rows of
/// padded channels.
pub fn forward(
    pool: &Pool,
    (x, from): (&[f32], Map),
    (weight, bias): (&[f32], Option<&[f32]>),
    (y, to): (&mut [f32], Map),
    window: Window,
    statistics: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    let mut rows = statistics.map(|rows| rows.split_at_mut(to.stride));
    let moments = rows.as_mut().map(|(mean, variance)| Moments {
        mean: &mut mean[..to.channels],
        variance: &mut variance[..to.channels],
    });
    match Method::new(from, to, window, pool.winograd()) {
        Method::Dense(g) => return dense::forward(pool, &g, x, weight, bias, y, moments, scratch),
        Method::Winograd(g) => winograd::forward(pool, &g, x, weight, y, moments, scratch),
        Method::Patches(g) => conv::forward(pool, &g, x, weight, y, moments, scratch),
    }
    if let Some(bias) = bias {
        pointwise::add_bias(pool, bias, y);
        if let Some((mean, _)) = rows {
            mean.iter_mut().zip(bias).for_each(|(mean, b)| *mean += b);
        }
    }
}

/// Scratch of [`input_gradient`].
pub fn input_gradient_scratch(from: Map, to: Map, window: Window, cpu: Cpu) -> usize {
    match Method::new(from, to, window, cpu.winograd) {
        Method::Dense(g) => dense::input_gradient_scratch_len(&g),
        Method::Winograd(g) => winograd::input_gradient_scratch_len(&g, cpu.threads),
        Method::Patches(g) => conv::input_gradient_scratch_len(&g, cpu.threads),
    }
}

/// ∂C/∂x, added where `add` says so. `from` is x, `to` y.
pub fn input_gradient(
    pool: &Pool,
    (dy, to): (&[f32], Map),
    weight: &[f32],
    (dx, from, add): (&mut [f32], Map, bool),
    window: Window,
    scratch: &mut [f32],
) {
    match Method::new(from, to, window, pool.winograd()) {
        Method::Dense(g) => dense::input_gradient(pool, &g, dy, weight, dx, add, scratch),
        Method::Winograd(g) => winograd::input_gradient(pool, &g, dy, weight, dx, add, scratch),
        Method::Patches(g) => conv::input_gradient(pool, &g, dy, weight, dx, add, scratch),
    }
}

/// Scratch of [`weight_gradient`].
pub fn weight_gradient_scratch(from: Map, to: Map, window: Window, cpu: Cpu) -> usize {
    match Method::new(from, to, window, cpu.winograd) {
        Method::Dense(_) => dense::weight_gradient_scratch_len(cpu.threads),
        Method::Winograd(g) => winograd::weight_gradient_scratch_len(&g, cpu.threads),
        Method::Patches(g) => conv::weight_gradient_scratch_len(&g, cpu.threads),
    }
}

/// ∂C/∂weight and ∂C/∂bias.
pub fn weight_gradient(
    pool: &Pool,
    (x, from): (&[f32], Map),
    (dy, to): (&[f32], Map),
    (dweight, dbias): (&mut [f32], Option<&mut [f32]>),
    window: Window,
    scratch: &mut [f32],
) {
    match Method::new(from, to, window, pool.winograd()) {
        Method::Dense(g) => {
            return dense::weight_gradient(pool, &g, x, dy, 0, dweight, dbias, scratch);
        }
        Method::Winograd(g) => winograd::weight_gradient(pool, &g, x, dy, dweight, scratch),
        Method::Patches(g) => conv::weight_gradient(pool, &g, x, dy, dweight, scratch),
    }
    if let Some(dbias) = dbias {
        pointwise::bias_gradient(pool, dy, dbias);
    }
}
