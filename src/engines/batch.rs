//! Checks of a batch that every engine makes, and the counting of correct logits.

use crate::error::{Error, Result};
use crate::ir::Model;
use crate::tensor::Batch;

/// Refuses a batch that does not fit `model`.
pub(crate) fn validate(model: &Model, batch: &Batch) -> Result<()> {
    let elements = model.input.elements();
    let classes = model.output.elements();
    if batch.is_empty() || batch.images.len() != batch.len() * elements {
        return Err(Error::new(format!(
            "a batch of {} images has {} pixels where the model takes {elements} an image",
            batch.len(),
            batch.images.len(),
        )));
    }
    if let Some(label) = batch.labels.iter().find(|&&l| l as usize >= classes) {
        return Err(Error::new(format!(
            "the label {label} is out of range for a model with {classes} outputs"
        ))
        .help("give the last layer as many outputs as the data has classes"));
    }
    Ok(())
}

/// Tells whether the largest element of `row`, the first of equals, is at `label`.
pub(crate) fn is_correct<X: PartialOrd + Copy>(row: &[X], label: u32) -> bool {
    let larger = |best: (usize, X), next: (usize, X)| if next.1 > best.1 { next } else { best };
    let found = row.iter().copied().enumerate().reduce(larger);
    found.is_some_and(|(index, _)| index == label as usize)
}
