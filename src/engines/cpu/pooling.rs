//! Pooling. A part of the work is an image.

use super::kernels::Pool;
use super::map::Map;
use super::parallel::pieces;
use crate::plan::Window;

/// Calls `visit(window, position, tap)` for every position of every window of an image.
fn visit(window: Window, mut visit: impl FnMut(usize, usize, usize)) {
    for output in 0..window.outputs() {
        let (row, column) = (output / window.output.1, output % window.output.1);
        for tap in 0..window.area() {
            let y = row * window.stride + tap / window.kernel.1;
            let x = column * window.stride + tap % window.kernel.1;
            visit(output, y * window.input.1 + x, tap);
        }
    }
}

/// Computes the largest element of each window; NaN wins.
pub fn max(pool: &Pool, x: &[f32], from: Map, y: &mut [f32], window: Window) {
    let stride = from.stride;
    pieces(pool, y, window.outputs() * stride, |image, y| {
        let x = &x[image * from.image()..];
        visit(window, |output, position, tap| {
            let y = &mut y[output * stride..][..stride];
            for (y, &x) in y.iter_mut().zip(&x[position * stride..]) {
                if tap == 0 || x > *y || x.is_nan() {
                    *y = x;
                }
            }
        });
    });
}

/// Gives dy to the first largest element of each window, added where `add` says so.
pub fn max_gradient(
    pool: &Pool,
    (x, dy): (&[f32], &[f32]),
    (dx, to, add): (&mut [f32], Map, bool),
    window: Window,
) {
    let stride = to.stride;
    pieces(pool, dx, to.image(), |image, dx| {
        if !add {
            dx.fill(0.0);
        }
        let x = &x[image * to.image()..];
        let dy = &dy[image * window.outputs() * stride..];
        for c in 0..to.channels {
            let mut best = 0;
            visit(window, |output, position, tap| {
                let value = x[position * stride + c];
                if tap == 0 || value > x[best * stride + c] || value.is_nan() {
                    best = position;
                }
                if tap + 1 == window.area() {
                    dx[best * stride + c] += dy[output * stride + c];
                }
            });
        }
    });
}

/// Computes the mean of each window.
pub fn mean(pool: &Pool, x: &[f32], from: Map, y: &mut [f32], window: Window) {
    let stride = from.stride;
    let share = 1.0 / window.area() as f32;
    pieces(pool, y, window.outputs() * stride, |image, y| {
        let x = &x[image * from.image()..];
        y.fill(0.0);
        visit(window, |output, position, _| {
            let y = &mut y[output * stride..][..stride];
            for (y, &x) in y.iter_mut().zip(&x[position * stride..]) {
                *y += x;
            }
        });
        y.iter_mut().for_each(|y| *y *= share);
    });
}

/// Gives dy's share to every element of each window, added where `add` says so.
pub fn mean_gradient(
    pool: &Pool,
    dy: &[f32],
    (dx, to, add): (&mut [f32], Map, bool),
    window: Window,
) {
    let stride = to.stride;
    let share = 1.0 / window.area() as f32;
    pieces(pool, dx, to.image(), |image, dx| {
        if !add {
            dx.fill(0.0);
        }
        let dy = &dy[image * window.outputs() * stride..];
        visit(window, |output, position, _| {
            let dx = &mut dx[position * stride..][..stride];
            for (dx, &dy) in dx.iter_mut().zip(&dy[output * stride..]) {
                *dx += share * dy;
            }
        });
    });
}
