//! Loss of a batch and its gradient.

/// Computes the share in the loss of some of a batch of N images,
/// `Σ −log softmax(logits)[label]/N`; its gradient `(softmax(logits) − onehot(label))/N`
/// goes to `gradient`.
pub fn cross_entropy(
    logits: &[f32],
    gradient: &mut [f32],
    (stride, classes, batch): (usize, usize, usize),
    labels: &[u32],
) -> f64 {
    let share = 1.0 / batch as f64;
    let mut loss = 0.0;
    let rows = logits
        .chunks_exact(stride)
        .zip(gradient.chunks_exact_mut(stride));
    for ((row, gradient), &label) in rows.zip(labels) {
        let label = label as usize;
        let row = &row[..classes];
        gradient.fill(0.0);
        // Less the largest, so that nothing overflows. NaN stays NaN in the sum.
        let largest = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let shifted = |x: f32| f64::from(x) - f64::from(largest);
        let sum: f64 = row.iter().map(|&x| shifted(x).exp()).sum();
        loss += sum.ln() - shifted(row[label]);
        for (c, (gradient, &x)) in gradient.iter_mut().zip(row).enumerate() {
            let one = if c == label { 1.0 } else { 0.0 };
            *gradient = (share * (shifted(x).exp() / sum - one)) as f32;
        }
    }
    loss * share
}
