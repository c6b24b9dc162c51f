//! Pooling.

use super::super::run::Map;
use crate::plan::Window;

/// Calls `visit(window's row, element's row)` for every element of every window.
fn visit(from: Map, window: Window, mut visit: impl FnMut(usize, usize, usize)) {
    for image in 0..from.images {
        for output in 0..window.outputs() {
            let (row, column) = (output / window.output.1, output % window.output.1);
            for tap in 0..window.area() {
                let y = row * window.stride + tap / window.kernel.1;
                let x = column * window.stride + tap % window.kernel.1;
                let element = image * from.positions + y * window.input.1 + x;
                visit(image * window.outputs() + output, element, tap);
            }
        }
    }
}

/// The largest element of each window; NaN wins.
pub fn max(x: &[f32], from: Map, y: &mut [f32], window: Window) {
    let stride = from.stride;
    visit(from, window, |to, element, tap| {
        let y = &mut y[to * stride..][..stride];
        let x = &x[element * stride..][..stride];
        for (y, &x) in y.iter_mut().zip(x) {
            if tap == 0 || x > *y || x.is_nan() {
                *y = x;
            }
        }
    });
}

/// Adds dy to the first largest element of each window.
pub fn max_gradient((x, dy): (&[f32], &[f32]), from: Map, dx: &mut [f32], window: Window) {
    let stride = from.stride;
    for c in 0..from.channels {
        let mut best = 0;
        visit(from, window, |to, element, tap| {
            let value = x[element * stride + c];
            if tap == 0 || value > x[best * stride + c] || value.is_nan() {
                best = element;
            }
            if tap + 1 == window.area() {
                dx[best * stride + c] += dy[to * stride + c];
            }
        });
    }
}

/// The mean of each window.
pub fn mean(x: &[f32], from: Map, y: &mut [f32], window: Window) {
    let stride = from.stride;
    let share = 1.0 / window.area() as f32;
    y.fill(0.0);
    visit(from, window, |to, element, _| {
        let y = &mut y[to * stride..][..stride];
        for (y, &x) in y.iter_mut().zip(&x[element * stride..][..stride]) {
            *y += x;
        }
    });
    y.iter_mut().for_each(|y| *y *= share);
}

/// Adds dy's share to every element of each window.
pub fn mean_gradient(dy: &[f32], dx: &mut [f32], from: Map, window: Window) {
    let stride = from.stride;
    let share = 1.0 / window.area() as f32;
    visit(from, window, |to, element, _| {
        let dx = &mut dx[element * stride..][..stride];
        for (dx, &dy) in dx.iter_mut().zip(&dy[to * stride..][..stride]) {
            *dx += share * dy;
        }
    });
}
