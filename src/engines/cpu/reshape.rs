//! Steps that move elements. Gradients are added to what is there.

use super::kernels::Pool;
use super::map::Map;
use super::parallel::pieces;

/// Turns images as they are given to padded rows of channels, or to padded vectors in C,
/// H, W order.
pub fn images_to_rows(pool: &Pool, (images, given): (&[f32], Map), (rows, map): (&mut [f32], Map)) {
    pieces(pool, rows, map.image(), |index, rows| {
        let image = &images[index * given.image()..][..given.image()];
        if map.positions == given.positions {
            let pixels = image.chunks_exact(given.channels);
            rows.fill(0.0);
            for (row, pixel) in rows.chunks_exact_mut(map.stride).zip(pixels) {
                row.iter_mut().zip(pixel).for_each(|(to, x)| *to = *x);
            }
        } else {
            let (vector, padding) = rows.split_at_mut(map.channels);
            for (c, plane) in vector.chunks_exact_mut(given.positions).enumerate() {
                let values = image.iter().skip(c).step_by(given.channels);
                plane.iter_mut().zip(values).for_each(|(to, x)| *to = *x);
            }
            padding.fill(0.0);
        }
    });
}

/// Turns values in N, C, H, W order to rows of channels, zeros in the padding.
pub fn scatter(mut values: impl Iterator<Item = f32>, map: Map, rows: &mut [f32]) {
    for image in rows.chunks_exact_mut(map.positions * map.stride) {
        image.fill(0.0);
        for c in 0..map.channels {
            let column = image.iter_mut().skip(c).step_by(map.stride);
            for (to, value) in column.zip(&mut values) {
                *to = value;
            }
        }
    }
}

/// Turns rows of channels to vectors in C, H, W order.
pub fn flatten((x, from): (&[f32], Map), (y, to): (&mut [f32], Map)) {
    let images = x.chunks_exact(from.positions * from.stride);
    for (x, y) in images.zip(y.chunks_exact_mut(to.stride)) {
        y.fill(0.0);
        for (at, y) in y[..to.channels].iter_mut().enumerate() {
            *y = x[at % from.positions * from.stride + at / from.positions];
        }
    }
}

/// Turns vectors in C, H, W order to rows of channels, added to what is there: the
/// transpose of [`flatten`].
pub fn unflatten((dy, from): (&[f32], Map), (dx, to): (&mut [f32], Map)) {
    let images = dx.chunks_exact_mut(to.positions * to.stride);
    for (dx, dy) in images.zip(dy.chunks_exact(from.stride)) {
        for (at, &dy) in dy[..from.channels].iter().enumerate() {
            dx[at % to.positions * to.stride + at / to.positions] += dy;
        }
    }
}

/// Computes `[max(x, 0), max(−x, 0)]`; NaN stays NaN.
pub fn crelu(x: &[f32], from: Map, y: &mut [f32], to: Map) {
    let positive = |x: f32| if x < 0.0 { 0.0 } else { x };
    for (x, y) in x
        .chunks_exact(from.stride)
        .zip(y.chunks_exact_mut(to.stride))
    {
        y.fill(0.0);
        for (c, &x) in x[..from.channels].iter().enumerate() {
            y[c] = positive(x);
            y[from.channels + c] = positive(-x);
        }
    }
}

/// Computes `dx += dy₁` where x is positive, `dx −= dy₂` where it is negative.
pub fn crelu_gradient((x, dy): (&[f32], &[f32]), from: Map, dx: &mut [f32], to: Map) {
    let rows = x.chunks_exact(to.stride).zip(dy.chunks_exact(from.stride));
    for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(to.stride)) {
        for c in 0..to.channels {
            if x[c] > 0.0 {
                dx[c] += dy[c];
            } else if x[c] < 0.0 {
                dx[c] -= dy[to.channels + c];
            }
        }
    }
}

/// Joins a and b along channels.
pub fn concat((a, b): (&[f32], &[f32]), y: &mut [f32], (first, second, both): (Map, Map, Map)) {
    let rows = a
        .chunks_exact(first.stride)
        .zip(b.chunks_exact(second.stride));
    for ((a, b), y) in rows.zip(y.chunks_exact_mut(both.stride)) {
        let (ours, rest) = y.split_at_mut(first.channels);
        ours.copy_from_slice(&a[..first.channels]);
        rest.fill(0.0);
        rest[..second.channels].copy_from_slice(&b[..second.channels]);
    }
}

/// Adds the channels of dy from `first` on, as many as dx has.
pub fn channels((dy, whole): (&[f32], Map), first: usize, dx: &mut [f32], part: Map) {
    let rows = dy.chunks_exact(whole.stride);
    for (dy, dx) in rows.zip(dx.chunks_exact_mut(part.stride)) {
        for (dx, &dy) in dx[..part.channels].iter_mut().zip(&dy[first..]) {
            *dx += dy;
        }
    }
}

/// Lists the row of the input that each row of a subsampled map is taken from.
fn taken(from: Map, to: Map, stride: usize) -> impl Iterator<Item = usize> {
    (0..to.rows()).map(move |row| {
        let (image, position) = (row / to.positions, row % to.positions);
        let (y, x) = (position / to.width, position % to.width);
        image * from.positions + y * stride * from.width + x * stride
    })
}

/// Takes every `stride`-th position, zeros in the channels that x has not.
pub fn subsample((x, from): (&[f32], Map), (y, to): (&mut [f32], Map), stride: usize) {
    for (row, y) in taken(from, to, stride).zip(y.chunks_exact_mut(to.stride)) {
        y.fill(0.0);
        y[..from.channels].copy_from_slice(&x[row * from.stride..][..from.channels]);
    }
}

/// Adds dy to the positions taken.
pub fn subsample_gradient((dy, from): (&[f32], Map), (dx, to): (&mut [f32], Map), stride: usize) {
    for (row, dy) in taken(to, from, stride).zip(dy.chunks_exact(from.stride)) {
        let dx = &mut dx[row * to.stride..][..to.channels];
        for (dx, &dy) in dx.iter_mut().zip(dy) {
            *dx += dy;
        }
    }
}
