//! Values that no run leaves in a checkpoint, each refused by its name.
//!
//! The check sum finds what was damaged by chance; what a program has written is believed only
//! where a run can have it.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

use super::super::run_progress::{RunProgress, Sums};
use super::meta::{DataMeta, Meta};

/// Most steps, epochs or images: beyond this, sums of them as floats are not exact.
const MOST: u64 = 1 << 53;

/// What the elements of tensors whose names end so may be, beside finite.
const RANGES: [(&str, f32, f32, &str); 2] = [
    (".alpha", 0.0, 1.0, "α is from 0 to 1"),
    (".running_var", 0.0, f32::MAX, "a variance is not negative"),
];

/// Refuses tensors with a number that is not finite or not in its range, the first named.
///
/// # Errors
/// Where there is one.
pub fn check_values(tensors: &[Tensor]) -> Result<()> {
    for tensor in tensors {
        let refused = |place: usize, help: &str| {
            Error::new(format!(
                "{}: element {place} of {} is {}",
                tensor.name,
                tensor.data.len(),
                tensor.data[place]
            ))
            .help(help)
        };
        if let Some(place) = tensor.data.iter().position(|x| !x.is_finite()) {
            return Err(refused(
                place,
                "weights must be finite numbers; take them from before the training diverged",
            ));
        }
        // Sums of gradients and momentum have the same names behind a prefix.
        let of_network = !tensor.name.contains('/');
        let ranges = RANGES
            .iter()
            .filter(|(end, ..)| of_network && tensor.name.ends_with(end));
        for (_, least, most, help) in ranges {
            if let Some(place) = tensor
                .data
                .iter()
                .position(|x| !(least..=most).contains(&x))
            {
                return Err(refused(place, help));
            }
        }
    }
    Ok(())
}

/// Refuses metadata that no run writes.
///
/// # Errors
/// Where a value is such a one; the message names it.
pub fn check_meta(meta: &Meta) -> Result<()> {
    match data(&meta.data).or_else(|| progress(&meta.progress)) {
        None => Ok(()),
        Some(what) => Err(Error::new(format!("its metadata cannot be: {what}"))
            .help("take another checkpoint; this one was not written by a run as it is")),
    }
}

fn data(data: &DataMeta) -> Option<String> {
    let channels = data.shape.first().copied().unwrap_or(0);
    for (name, values) in [("mean", &data.mean), ("standard deviation", &data.std)] {
        if values.len() != channels {
            let count = values.len();
            return Some(format!("a {name} for {count} of {channels} channels"));
        }
    }
    let mean = data.mean.iter().find(|mean| !mean.is_finite());
    // Standardising divides by it.
    let std = data
        .std
        .iter()
        .find(|&&std| !(std.is_finite() && std > 0.0));
    mean.map(|mean| format!("the pixels' mean is {mean}"))
        .or_else(|| std.map(|std| format!("the pixels' standard deviation is {std}")))
}

fn progress(progress: &RunProgress) -> Option<String> {
    let RunProgress {
        epoch,
        step,
        logged,
        tested,
        best,
        ..
    } = progress;
    if *step >= MOST {
        return Some(format!("step {step}"));
    }
    if epoch > step {
        return Some(format!("{epoch} epochs in {step} steps"));
    }
    if let Some(logged) = logged.filter(|logged| logged > step) {
        return Some(format!("a log up to step {logged}, after step {step}"));
    }
    for tested in [tested, best].into_iter().flatten() {
        if tested.step > *step || tested.epoch > *epoch + 1 {
            let (step_of, epoch_of) = (tested.step, tested.epoch);
            return Some(format!(
                "a test in epoch {epoch_of} after step {step_of}, at step {step}"
            ));
        }
    }
    let tests = [tested, best]
        .into_iter()
        .flatten()
        .map(|tested| tested.sums);
    let mut all = tests.chain([progress.epoch_sums, progress.window]);
    if let Some(sums) = all.find(|sums| !is_possible(sums)) {
        let Sums {
            loss,
            correct,
            images,
        } = sums;
        return Some(format!(
            "{correct} of {images} images right, with loss {loss}"
        ));
    }
    let times = [progress.seconds, progress.step_seconds];
    let time = times
        .into_iter()
        .find(|time| !(time.is_finite() && *time >= 0.0));
    time.map(|time| format!("{time} seconds of training"))
}

fn is_possible(sums: &Sums) -> bool {
    sums.images < MOST && sums.correct <= sums.images && sums.loss.is_finite()
}
