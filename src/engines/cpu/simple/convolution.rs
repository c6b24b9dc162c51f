//! Convolutions by their definition.

use super::super::run::Map;
use super::parallel::{Shared, parts};
use crate::plan::Window;

/// The positions of a window that are inside the image: (tap, input position).
fn taps(window: Window, output: usize) -> impl Iterator<Item = (usize, usize)> {
    let (row, column) = (output / window.output.1, output % window.output.1);
    let inside = move |at: usize, offset: usize, extent: usize| {
        let position = (at * window.stride + offset).checked_sub(window.padding);
        position.filter(|&position| position < extent)
    };
    (0..window.area()).filter_map(move |tap| {
        let y = inside(row, tap / window.kernel.1, window.input.0)?;
        let x = inside(column, tap % window.kernel.1, window.input.1)?;
        Some((tap, y * window.input.1 + x))
    })
}

fn axpy(y: &mut [f32], a: f32, x: &[f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// `y = x ⋆ weight + bias`.
pub fn forward(
    (x, from): (&[f32], Map),
    (weight, bias): (&[f32], Option<&[f32]>),
    (y, to): (&mut [f32], Map),
    window: Window,
    scratch: &mut [f32],
) {
    let (area, inputs) = (window.area(), from.channels);
    // Taps × inputs × padded outputs.
    scratch.fill(0.0);
    for (o, filter) in weight.chunks_exact(inputs * area).enumerate() {
        for (at, &w) in filter.iter().enumerate() {
            scratch[(at % area * inputs + at / area) * to.stride + o] = w;
        }
    }
    let blocked = &*scratch;
    let y = Shared::new(y);
    parts(to.rows(), |row| {
        // SAFETY: a part's own row.
        let y = unsafe { y.range(row * to.stride, to.stride) };
        y.fill(0.0);
        if let Some(bias) = bias {
            y[..to.channels].copy_from_slice(bias);
        }
        let image = row / to.positions * from.positions;
        for (tap, position) in taps(window, row % to.positions) {
            let x = &x[(image + position) * from.stride..][..inputs];
            for (c, &x) in x.iter().enumerate() {
                axpy(
                    y,
                    x,
                    &blocked[(tap * inputs + c) * to.stride..][..to.stride],
                );
            }
        }
    });
}

/// ∂C/∂x, added where `add` says so.
pub fn input_gradient(
    (dy, from): (&[f32], Map),
    weight: &[f32],
    (dx, add): (&mut [f32], bool),
    to: Map,
    window: Window,
    scratch: &mut [f32],
) {
    let (area, inputs, outputs) = (window.area(), to.channels, from.channels);
    // Taps × outputs × padded inputs.
    scratch.fill(0.0);
    for (o, filter) in weight.chunks_exact(inputs * area).enumerate() {
        for (at, &w) in filter.iter().enumerate() {
            scratch[(at % area * outputs + o) * to.stride + at / area] = w;
        }
    }
    let blocked = &*scratch;
    let size = to.positions * to.stride;
    let dx = Shared::new(dx);
    parts(to.images, |image| {
        // SAFETY: a part's own image.
        let dx = unsafe { dx.range(image * size, size) };
        if !add {
            dx.fill(0.0);
        }
        for output in 0..from.positions {
            let dy = &dy[(image * from.positions + output) * from.stride..][..outputs];
            for (tap, position) in taps(window, output) {
                let dx = &mut dx[position * to.stride..][..to.stride];
                for (o, &dy) in dy.iter().enumerate() {
                    axpy(
                        dx,
                        dy,
                        &blocked[(tap * outputs + o) * to.stride..][..to.stride],
                    );
                }
            }
        }
    });
}

/// ∂C/∂weight.
pub fn weight_gradient(
    (x, from): (&[f32], Map),
    (dy, to): (&[f32], Map),
    dweight: &mut [f32],
    window: Window,
    scratch: &mut [f32],
) {
    let (area, inputs) = (window.area(), from.channels);
    // Taps × inputs × padded outputs.
    let sums = Shared::new(scratch);
    parts(area * inputs, |part| {
        let (wanted, c) = (part / inputs, part % inputs);
        // SAFETY: a part's own row.
        let sums = unsafe { sums.range(part * to.stride, to.stride) };
        sums.fill(0.0);
        for output in 0..to.positions {
            let found = taps(window, output).find(|&(tap, _)| tap == wanted);
            let Some((_, position)) = found else { continue };
            for image in 0..to.images {
                let x = x[(image * from.positions + position) * from.stride + c];
                let dy = &dy[(image * to.positions + output) * to.stride..][..to.stride];
                axpy(sums, x, dy);
            }
        }
    });
    for (o, filter) in dweight.chunks_exact_mut(inputs * area).enumerate() {
        for (at, w) in filter.iter_mut().enumerate() {
            *w = scratch[(at % area * inputs + at / area) * to.stride + o];
        }
    }
}

/// ∂C/∂bias.
pub fn bias_gradient(dy: &[f32], to: Map, dbias: &mut [f32]) {
    for (o, dbias) in dbias.iter_mut().enumerate() {
        let column = dy.iter().skip(o).step_by(to.stride);
        *dbias = column.map(|&dy| f64::from(dy)).sum::<f64>() as f32;
    }
}
