//! Dirac weights: `diag(a)·δ + diag(b)·W/‖W‖`.

/// Summand of ‖W‖², so that a filter of zeros divides by 10⁻¹², not by 0.
const TINY: f64 = 1e-24;

/// Finds where δ of output `o` is 1 in its filter, if anywhere.
fn center(o: usize, (_, inputs, (rows, columns)): (usize, usize, (usize, usize))) -> Option<usize> {
    let area = rows * columns;
    (o < inputs).then(|| o * area + rows / 2 * columns + columns / 2)
}

/// Computes `1/‖W‖` of a filter.
fn scale(filter: &[f32]) -> f64 {
    let squares: f64 = filter.iter().map(|&w| f64::from(w) * f64::from(w)).sum();
    1.0 / (squares + TINY).sqrt()
}

/// Computes the weight that the network is run with.
pub fn forward(
    (weight, a, b): (&[f32], &[f32], &[f32]),
    y: &mut [f32],
    kernel: (usize, usize, (usize, usize)),
) {
    let len = weight.len() / kernel.0;
    let filters = weight.chunks_exact(len).zip(y.chunks_exact_mut(len));
    for (o, (filter, y)) in filters.enumerate() {
        let factor = f64::from(b[o]) * scale(filter);
        for (y, &w) in y.iter_mut().zip(filter) {
            *y = (factor * f64::from(w)) as f32;
        }
        if let Some(at) = center(o, kernel) {
            y[at] += a[o];
        }
    }
}

/// Computes the gradients of W, a and b. With r = 1/‖W‖: `da = dy[δ]`, `db = r·⟨dy, W⟩`,
/// `dW = b·r·(dy − W·r²·⟨dy, W⟩)`.
pub fn gradient(
    (weight, b, dy): (&[f32], &[f32], &[f32]),
    (dweight, da, db): (&mut [f32], &mut [f32], &mut [f32]),
    kernel: (usize, usize, (usize, usize)),
) {
    let len = weight.len() / kernel.0;
    let filters = weight.chunks_exact(len).zip(dy.chunks_exact(len));
    for (o, ((filter, dy), dweight)) in filters.zip(dweight.chunks_exact_mut(len)).enumerate() {
        let r = scale(filter);
        let pairs = filter.iter().zip(dy);
        let dot: f64 = pairs.map(|(&w, &g)| f64::from(w) * f64::from(g)).sum();
        for ((dw, &w), &g) in dweight.iter_mut().zip(filter).zip(dy) {
            let straight = f64::from(g) - f64::from(w) * r * r * dot;
            *dw = (f64::from(b[o]) * r * straight) as f32;
        }
        da[o] = center(o, kernel).map_or(0.0, |at| dy[at]);
        db[o] = (r * dot) as f32;
    }
}
