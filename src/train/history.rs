//! The history of a run, epoch by epoch, from its `metrics.jsonl`.

use super::metrics::{self, Line, SkipLine, Split};
use std::collections::BTreeMap;

/// Loss and accuracy of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean loss over the batch.
    pub loss: f64,
    /// Share of images classified rightly, 0 to 1.
    pub accuracy: f64,
}

/// Summary of the elements of α, or of λ, of all variable skips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trace {
    /// Mean over the skips of the mean over their elements.
    pub mean: f64,
    /// Least and greatest element; in older logs, least and greatest mean of a skip.
    pub range: [f64; 2],
}

/// State of the fading of the skips at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fade {
    /// Steps done.
    pub step: u64,
    /// Epochs done, including the fraction of the current one.
    pub epochs: f64,
    /// Mean over variable skips of the mean (1−α)².
    pub residual: f64,
    /// α of the variable skips.
    pub alpha: Option<Trace>,
    /// λ of the variable skips.
    pub lambda: Option<Trace>,
}

/// Log of an epoch's end, or of a run's end within an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// Seconds trained.
    pub seconds: f64,
    /// Learning rate of the last step.
    pub rate: f64,
    /// Score over the training images that the epoch has seen, in training mode.
    pub train: Option<Score>,
    /// Score over the test images.
    pub test: Option<Score>,
    /// Mean over variable skips of the mean (1−α)².
    pub residual: Option<f64>,
    /// α of the variable skips.
    pub alpha: Option<Trace>,
    /// λ of the variable skips.
    pub lambda: Option<Trace>,
    /// State of each skip, in forward order.
    pub skips: Vec<SkipLine>,
    /// Fading at every logged step of the epoch, its end included.
    pub fades: Vec<Fade>,
}

/// Groups the lines of a log by epoch, in order.
pub fn epochs(lines: &[Line]) -> Vec<Epoch> {
    let mut epochs: BTreeMap<u64, Epoch> = BTreeMap::new();
    let mut within: Vec<Fade> = Vec::new();
    for line in lines {
        within.extend(fade(line));
        let train = line.epoch_loss.zip(line.epoch_accuracy);
        if train.is_none() && line.split == Split::Train {
            continue; // a line within an epoch
        }
        let epoch = epochs.entry(line.epoch).or_default();
        epoch.epoch = line.epoch;
        epoch.step = line.step;
        epoch.seconds = line.seconds;
        epoch.rate = line.rate;
        epoch.residual = line.alpha_residual.or(epoch.residual);
        match line.split {
            Split::Train => {
                epoch.train = train.map(|(loss, accuracy)| Score { loss, accuracy });
            }
            Split::Test => {
                epoch.test = Some(Score {
                    loss: line.loss,
                    accuracy: line.accuracy,
                });
            }
        }
        if let Some(skips) = line.skips.as_ref().filter(|skips| !skips.is_empty()) {
            epoch.alpha = trace(skips, |skip| (skip.alpha_mean, skip.alpha_range));
            epoch.lambda = trace(skips, |skip| (skip.lambda_mean, skip.lambda_range));
            epoch.skips.clone_from(skips);
        }
        epoch.fades.append(&mut within);
    }
    let mut begin = 0;
    for epoch in epochs.values_mut() {
        epoch.fades.dedup_by_key(|fade| fade.step);
        let steps = epoch.step.saturating_sub(begin).max(1) as f64;
        for fade in &mut epoch.fades {
            let share = fade.step.saturating_sub(begin) as f64 / steps;
            fade.epochs = epoch.epoch.saturating_sub(1) as f64 + share;
        }
        begin = epoch.step;
    }
    epochs.into_values().collect()
}

/// Reads the fading according to a line; `epochs` is filled in later, when the length of an epoch
/// is known.
fn fade(line: &Line) -> Option<Fade> {
    let skips = line.skips.as_deref().unwrap_or_default();
    Some(Fade {
        step: line.step,
        epochs: 0.0,
        residual: line.alpha_residual?,
        alpha: trace(skips, |skip| (skip.alpha_mean, skip.alpha_range)),
        lambda: trace(skips, |skip| (skip.lambda_mean, skip.lambda_range)),
    })
}

fn trace(
    skips: &[SkipLine],
    value: impl Fn(&SkipLine) -> (f64, Option<[f64; 2]>),
) -> Option<Trace> {
    let mean = metrics::mean_over(skips, |skip| value(skip).0)?;
    let range = skips.iter().fold([mean; 2], |[low, high], skip| {
        let (mean, range) = value(skip);
        let [least, most] = range.unwrap_or([mean; 2]);
        [low.min(least), high.max(most)]
    });
    Some(Trace { mean, range })
}

/// Finds the number and score of the epoch with the best test accuracy; of the first if several
/// are equal.
pub fn best(epochs: &[Epoch]) -> Option<(u64, Score)> {
    let tested = epochs
        .iter()
        .filter_map(|epoch| Some((epoch.epoch, epoch.test?)));
    metrics::best(tested, |(_, score)| score.accuracy)
}

impl Score {
    /// Computes the share of images classified wrongly, in percent.
    pub fn error(&self) -> f64 {
        100.0 * (1.0 - self.accuracy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(split: Split, epoch: u64, accuracy: f64) -> Line {
        Line {
            split,
            step: epoch * 10,
            epoch,
            loss: 1.0 - accuracy,
            accuracy,
            rate: 0.1,
            alpha_residual: None,
            lambda_mean: None,
            seconds: epoch as f64,
            epoch_loss: None,
            epoch_accuracy: None,
            skips: None,
        }
    }

    fn skip(alpha_mean: f64, alpha_range: Option<[f64; 2]>) -> SkipLine {
        SkipLine {
            path: "skip0".into(),
            alpha_mean,
            alpha_residual: 0.0,
            lambda_mean: -1.0,
            alpha_range,
            lambda_range: None,
        }
    }

    #[test]
    fn lines_are_gathered_by_epoch() {
        let mut end = line(Split::Train, 1, 0.3);
        end.epoch_loss = Some(0.8);
        end.epoch_accuracy = Some(0.2);
        let mut test = line(Split::Test, 1, 0.5);
        test.skips = Some(vec![skip(0.2, Some([0.1, 0.9])), skip(0.4, None)]);
        let within = line(Split::Train, 2, 0.6);
        let all = epochs(&[line(Split::Train, 1, 0.1), end, test, within]);
        assert_eq!(all.len(), 1);
        assert_eq!(
            all[0].train,
            Some(Score {
                loss: 0.8,
                accuracy: 0.2
            })
        );
        assert_eq!(all[0].test.map(|test| test.accuracy), Some(0.5));
        let alpha = all[0].alpha.expect("α");
        assert!((alpha.mean - 0.3).abs() < 1e-12);
        assert_eq!(alpha.range, [0.1, 0.9]);
        assert_eq!(all[0].lambda.expect("λ").range, [-1.0, -1.0]);
    }

    #[test]
    fn the_first_best_epoch_counts() {
        let tests: Vec<Line> = [0.5, 0.7, 0.7, 0.6]
            .iter()
            .zip(1..)
            .map(|(&accuracy, epoch)| line(Split::Test, epoch, accuracy))
            .collect();
        assert_eq!(best(&epochs(&tests)).map(|(epoch, _)| epoch), Some(2));
        assert_eq!(best(&[]), None);
    }
}
