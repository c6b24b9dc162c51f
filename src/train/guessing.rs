//! The remark on a loss that stays at that of guessing.

use super::run_progress::RunProgress;
use crate::text::{counted, decimal};

/// Epochs after which it is looked at, or all where there are fewer.
const EPOCHS: u64 = 3;
/// Steps before which nothing can be said.
const STEPS: u64 = 100;
/// Share of ln(classes), the loss of guessing, from which on a loss is taken for that.
const SHARE: f64 = 0.98;

/// Says at the end of an epoch, once in a run of `epochs` epochs, that the loss has stayed at that
/// of guessing among `classes` classes, where it has.
pub fn remark(done: &RunProgress, epochs: u64, classes: usize) -> Option<String> {
    let (loss, guess) = (done.epoch_sums.mean_loss(), (classes as f64).ln());
    let is_due = done.epoch + 1 == EPOCHS.min(epochs) && done.step >= STEPS;
    (is_due && classes > 1 && loss > SHARE * guess).then(|| {
        format!(
            "  note: after {} the loss is {}, that of guessing is {} (ln {classes}):\n  \
             see that labels and images belong together, or try another --rate",
            counted(done.epoch + 1, "epoch"),
            decimal(loss),
            decimal(guess)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::run_progress::Sums;

    #[test]
    fn a_loss_like_that_of_guessing_is_remarked_once() {
        let remark = |epoch, step, loss| {
            let done = RunProgress {
                epoch,
                step,
                epoch_sums: Sums {
                    loss: loss * 50.0,
                    correct: 5,
                    images: 50,
                },
                ..RunProgress::default()
            };
            remark(&done, 10, 10)
        };
        let text = remark(2, 300, 2.3026).unwrap();
        assert!(text.contains("after 3 epochs the loss is 2.3026"), "{text}");
        assert!(remark(2, 300, 7.0).is_some());
        assert_eq!(remark(2, 300, 2.2), None);
        assert_eq!(remark(2, 99, 2.3026), None);
        assert_eq!(remark(1, 200, 2.3026), None);
        assert_eq!(remark(3, 400, 2.3026), None);
    }
}
