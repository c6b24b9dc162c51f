//! Lines of `metrics.jsonl`: what they say, how they are written, and how damage is found.
//!
//! A line ends in its check, the CRC-32 of all before it: `…,"check":"1f2e3d4c"}`. Lines of older
//! versions have none, and are read as they are.

use crate::engines::SkipState;
use crate::flags::Split;
use serde::{Deserialize, Serialize};

/// Line of the log. There is a `train` line every `--log-every` steps and at the end of each
/// epoch, and a `test` line after it at the end of each epoch and of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Images it is about: those of training steps, in training mode and augmented, or the
    /// whole test split, in evaluation mode.
    pub split: Split,
    /// Steps done, over all epochs.
    pub step: u64,
    /// Epoch that the last step belongs to, from 1.
    pub epoch: u64,
    /// Mean loss: of the images since the last `train` line, or of the test split.
    pub loss: f64,
    /// Share of the same images classified rightly, 0 to 1.
    pub accuracy: f64,
    /// Learning rate of the last step.
    pub rate: f64,
    /// Mean over variable skips of the mean over their elements of (1−α)².
    pub alpha_residual: Option<f64>,
    /// Mean over variable skips of the mean of λ.
    pub lambda_mean: Option<f64>,
    /// Seconds trained. The one number that differs when a run is repeated, and with it the check.
    pub seconds: f64,
    /// Mean training loss over the images that the epoch has seen; in lines at the end of an
    /// epoch or of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_loss: Option<f64>,
    /// Share of those images classified rightly; in the same lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_accuracy: Option<f64>,
    /// State of every variable skip, in forward order; in the same lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skips: Option<Vec<SkipLine>>,
}

/// State of one variable skip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkipLine {
    /// Path of the skip.
    pub path: String,
    /// Mean of α.
    pub alpha_mean: f64,
    /// Mean of (1−α)², or with another target in place of 1.
    pub alpha_residual: f64,
    /// Mean of λ.
    pub lambda_mean: f64,
    /// Least and greatest α.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha_range: Option<[f64; 2]>,
    /// Least and greatest λ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda_range: Option<[f64; 2]>,
}

impl SkipLine {
    /// Computes the means and ranges of one skip's α and λ.
    pub fn new(skip: &SkipState) -> Self {
        let alpha = || skip.alpha.iter().map(|&a| f64::from(a));
        let apart = |a: f64| a - skip.target;
        SkipLine {
            path: skip.path.clone(),
            alpha_mean: mean(alpha()),
            alpha_residual: mean(alpha().map(|a| apart(a) * apart(a))),
            lambda_mean: mean(skip.lambda.iter().map(|&l| f64::from(l))),
            alpha_range: range(&skip.alpha),
            lambda_range: range(&skip.lambda),
        }
    }
}

/// Finds the least and greatest of `values`; nothing where one of them is no finite number.
fn range(values: &[f32]) -> Option<[f64; 2]> {
    let fold = |range: Option<[f64; 2]>, &value: &f32| {
        let value = f64::from(value);
        Some(range.map_or([value; 2], |[low, high]| [low.min(value), high.max(value)]))
    };
    let finite = values.iter().all(|value| value.is_finite());
    values.iter().fold(None, fold).filter(|_| finite)
}

/// Finds the most accurate of several evaluations, the first of equals.
pub fn best<T>(tests: impl Iterator<Item = T>, accuracy: impl Fn(&T) -> f64) -> Option<T> {
    tests.fold(None, |best, next| match best {
        Some(best) if accuracy(&next) <= accuracy(&best) => Some(best),
        Some(_) | None => Some(next),
    })
}

/// Computes the mean over skips of `value`; nothing where there is no variable skip.
pub fn mean_over(skips: &[SkipLine], value: impl Fn(&SkipLine) -> f64) -> Option<f64> {
    (!skips.is_empty()).then(|| mean(skips.iter().map(value)))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
    sum / count.max(1) as f64
}

/// Beginning and end of a line's check; eight digits are between.
const CHECK: [&str; 2] = [",\"check\":\"", "\"}"];

impl Line {
    /// Writes the line with its check and its end.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn to_text(&self) -> serde_json::Result<String> {
        let mut text = serde_json::to_string(self)?;
        text.pop();
        let sum = check_sum(text.as_bytes());
        let [before, after] = CHECK;
        text.push_str(&format!("{before}{sum:08x}{after}\n"));
        Ok(text)
    }

    /// Reads a line.
    ///
    /// # Errors
    /// Where it is damaged; the text says how.
    pub fn parse(text: &[u8]) -> Result<Line, String> {
        if let Some((body, sum)) = checked(text.trim_ascii_end())
            && check_sum(body) != sum
        {
            return Err("its check does not agree".into());
        }
        // The place that serde_json adds is one within the line.
        let line: Line = serde_json::from_slice(text).map_err(|e| {
            let text = e.to_string();
            match text.split_once(" at line ") {
                Some((what, _)) => format!("{what} at column {}", e.column()),
                None => text,
            }
        })?;
        match line.epoch {
            0 => Err("epoch 0, where epochs are counted from 1".into()),
            _ => Ok(line),
        }
    }

    /// Key by which the lines of a run go up: a step has one line of each split, that of training
    /// first.
    pub fn key(&self) -> (u64, bool) {
        (self.step, self.split == Split::Test)
    }

    /// Says why the line cannot stand after `last`.
    pub fn misplaced(&self, last: &Line) -> String {
        let (name, step) = (self.split.name(), self.step);
        if step < last.step {
            format!("step {step} after step {}", last.step)
        } else if self.epoch < last.epoch {
            format!("epoch {} after epoch {}", self.epoch, last.epoch)
        } else {
            format!("another {name} line of step {step}")
        }
    }

    /// Whether it is the last line that a checkpoint of step `logged` counts on: after that of
    /// training at the end of an epoch comes that of the test.
    pub fn is_whole_at(&self, logged: u64) -> bool {
        self.step == logged && (self.split == Split::Test || self.epoch_loss.is_none())
    }
}

/// Splits a line into what is checked and its check. None where it has no check.
fn checked(text: &[u8]) -> Option<(&[u8], u32)> {
    let [before, after] = CHECK.map(str::as_bytes);
    let rest = text.strip_suffix(after)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
    let sum = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((rest.strip_suffix(before)?, sum))
}

fn check_sum(text: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(text);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_elements_then_skips() {
        let skip = |alpha: &[f32], lambda: f32| {
            SkipLine::new(&SkipState {
                path: "skip0".into(),
                alpha: alpha.into(),
                lambda: vec![lambda; alpha.len()],
                target: 1.0,
            })
        };
        let skips = [skip(&[1.0, 0.0], -1.0), skip(&[0.5], -0.5)];
        assert_eq!(
            mean_over(&skips, |s| s.alpha_residual),
            Some((0.5 + 0.25) / 2.0)
        );
        assert_eq!(mean_over(&skips, |s| s.lambda_mean), Some(-0.75));
        assert_eq!(mean_over(&[], |s| s.lambda_mean), None);
    }
}
