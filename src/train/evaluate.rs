//! Loss and accuracy over the whole test split, from logits on the host.

use super::prefetch::prefetch;
use super::run_progress::Sums;
use crate::data::Dataset;
use crate::engines::Engine;
use crate::error::{Error, Result};
use std::ops::ControlFlow;

/// Part of an evaluation that one image gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Class it has.
    pub label: usize,
    /// Class of its largest logit, the first among equals.
    pub class: usize,
    /// Number of classes that come before its own by logit: 0 where it is classified rightly.
    pub rank: usize,
    /// `−log softmax(logits)[label]`.
    pub loss: f64,
}

/// Evaluates the test split in batches of `batch`.
///
/// `after` sees the predictions of each batch; where it breaks, the evaluation ends
/// without a result.
///
/// # Errors
/// Where there are no test images, a label is no class of the network, or the engine fails.
pub fn evaluate(
    engine: &mut dyn Engine,
    dataset: &Dataset,
    batch: usize,
    after: &mut dyn FnMut(&[Prediction]) -> ControlFlow<()>,
) -> Result<Option<Sums>> {
    let images = dataset.test.labels.len();
    if images == 0 {
        return Err(Error::new(format!("{} has no test images", dataset.name)));
    }
    let batch = batch.clamp(1, images);
    let make = |start| dataset.test_batch(start, batch.min(images - start));
    prefetch((0..images).step_by(batch), make, |batches| {
        let mut sums = Sums::default();
        for batch in batches {
            let logits = engine.logits(&batch)?;
            let predictions = predictions(&logits, &batch.labels)?;
            for prediction in &predictions {
                sums.loss += prediction.loss;
                sums.correct += u64::from(prediction.class == prediction.label);
                sums.images += 1;
            }
            if after(&predictions).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(sums))
    })
}

/// Reads `logits` (images × classes, row-major) as predictions for images with `labels`.
///
/// # Errors
/// Where a label is no class of the network.
pub fn predictions(logits: &[f32], labels: &[u32]) -> Result<Vec<Prediction>> {
    let classes = logits.len() / labels.len().max(1);
    let images = labels.iter().enumerate();
    images
        .map(|(i, &label)| predict(&logits[i * classes..][..classes], label as usize))
        .collect()
}

fn predict(row: &[f32], label: usize) -> Result<Prediction> {
    let Some(&at_label) = row.get(label) else {
        return Err(Error::new(format!(
            "an image has label {label}, but the network has {} classes",
            row.len()
        )));
    };
    let mut class = 0;
    for (i, &logit) in row.iter().enumerate() {
        if logit > row[class] {
            class = i;
        }
    }
    let before = |&(i, &logit): &(usize, &f32)| logit > at_label || i < label && logit == at_label;
    // log Σ eᶻ = m + log Σ e^(z − m) does not overflow for m the largest.
    let largest = f64::from(row[class]);
    let sum: f64 = row.iter().map(|&z| (f64::from(z) - largest).exp()).sum();
    Ok(Prediction {
        label,
        class,
        rank: row.iter().enumerate().filter(before).count(),
        loss: largest + sum.ln() - f64::from(at_label),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_stable_and_right() {
        let row = [1.0, 2.0, 3.0];
        let found = predictions(&row, &[0]).unwrap()[0];
        let expected = (1f64.exp() + 2f64.exp() + 3f64.exp()).ln() - 1.0;
        assert!((found.loss - expected).abs() < 1e-12);
        assert_eq!((found.label, found.class, found.rank), (0, 2, 2));
        // Among equals the first comes first.
        let equal = predictions(&[1.0, 1.0, 0.0, 1.0, 1.0, 0.0], &[1, 0]).unwrap();
        assert_eq!([equal[0].rank, equal[1].rank], [1, 0]);
        // Far beyond what exp can take.
        let far = predictions(&[1e4, -1e4], &[1]).unwrap()[0];
        assert_eq!(far.loss, 2e4);
        // Not a number stays one, wherever it is, instead of passing as a loss.
        for row in [[f32::NAN, 0.0], [0.0, f32::NAN]] {
            assert!(predictions(&row, &[0]).unwrap()[0].loss.is_nan());
        }
    }

    #[test]
    fn a_label_without_a_logit_is_an_error() {
        assert!(predictions(&[0.0, 1.0], &[2]).is_err());
        assert!(predictions(&[], &[0]).is_err());
    }
}
