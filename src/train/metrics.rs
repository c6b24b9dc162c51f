//! `metrics.jsonl`: the numbers of a run, one JSON object a line.

pub use crate::flags::Split;

use crate::engines::SkipState;
use crate::error::{Error, Result};
use crate::files::{self, write_error};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

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
    /// Seconds trained. The one number that differs when a run is repeated.
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

/// The file, open for appending.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
}

impl Metrics {
    /// Opens `path` with the lines up to step `logged` in it, and returns those; what
    /// follows was written after the checkpoint that is resumed, perhaps torn, and is
    /// cut off. `None` keeps nothing.
    ///
    /// # Errors
    /// Where the file cannot be opened, read or cut, or a line that the checkpoint counts on is
    /// damaged.
    pub fn open(path: &Path, logged: Option<u64>) -> Result<(Metrics, Vec<Line>)> {
        let file = files::open_with(path, OpenOptions::new().create(true).append(true))
            .map_err(|e| write_error(path, e))?;
        let text = files::read(path).map_err(|e| Error::io("read", path, e))?;
        let (lines, length) = match logged {
            Some(logged) => keep(path, &text, logged)?,
            None => (Vec::new(), 0),
        };
        file.set_len(length as u64)
            .and_then(|()| file.sync_all())
            .map_err(|e| write_error(path, e))?;
        let path = path.to_owned();
        Ok((Metrics { path, file }, lines))
    }

    /// Appends a line, in one write.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn append(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_string(line)
            .map_err(|e| Error::new(format!("cannot write {}: {e}", self.path.display())))?;
        text.push('\n');
        self.file
            .write_all(text.as_bytes())
            .map_err(|e| write_error(&self.path, e))
    }

    /// Puts what was appended on the disk. To be done before a checkpoint is written
    /// that counts on it.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|e| write_error(&self.path, e))
    }
}

/// Reads the whole lines of `path`. A last one that is cut off is left out: a process is writing
/// it, or was killed as it did.
///
/// # Errors
/// Where the file cannot be read, or a line is damaged or out of order; the error names it.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    let text = files::read(path).map_err(|e| Error::io("read", path, e))?;
    Ok(keep(path, &text, u64::MAX)?.0)
}

/// Finds the leading lines that are whole and not past step `logged`, and their bytes.
fn keep(path: &Path, text: &[u8], logged: u64) -> Result<(Vec<Line>, usize)> {
    let (mut lines, mut length) = (Vec::new(), 0);
    let whole = text.split_inclusive(|&b| b == b'\n');
    for (chunk, number) in whole.take_while(|chunk| chunk.ends_with(b"\n")).zip(1..) {
        match parse(chunk).and_then(|line: Line| line.follows(lines.last()).map(|()| line)) {
            Ok(line) if line.step <= logged => lines.push(line),
            Ok(_) => break,
            // After the last line that a checkpoint counts on, a crash may leave anything.
            Err(_) if lines.last().is_some_and(|last| last.is_whole_at(logged)) => break,
            Err(what) => return Err(damaged(path, number, &what)),
        }
        length += chunk.len();
    }
    Ok((lines, length))
}

fn parse(chunk: &[u8]) -> Result<Line, String> {
    // The place that serde_json adds is one within the line.
    serde_json::from_slice(chunk).map_err(|e| {
        let text = e.to_string();
        match text.split_once(" at line ") {
            Some((what, _)) => format!("{what} at column {}", e.column()),
            None => text,
        }
    })
}

fn damaged(path: &Path, number: usize, what: &str) -> Error {
    let path = path.display();
    Error::new(format!("{path} is damaged in line {number}: {what}")).help(
        "mend or delete the line; the weights are in the checkpoints, and a run whose \
         metrics.jsonl is moved away goes on without the curves until then",
    )
}

impl Line {
    /// Checks that the line may stand after `last`: steps and epochs go up, and a step has one
    /// line of each split, that of training first.
    fn follows(&self, last: Option<&Line>) -> Result<(), String> {
        if self.epoch == 0 {
            return Err("epoch 0, where epochs are counted from 1".into());
        }
        let Some(last) = last else { return Ok(()) };
        let (name, step) = (self.split.name(), self.step);
        if step < last.step {
            return Err(format!("step {step} after step {}", last.step));
        }
        if self.epoch < last.epoch {
            return Err(format!("epoch {} after epoch {}", self.epoch, last.epoch));
        }
        match step == last.step && (self.split, last.split) != (Split::Test, Split::Train) {
            true => Err(format!("another {name} line of step {step}")),
            false => Ok(()),
        }
    }

    /// Whether it is the last line that a checkpoint of step `logged` counts on: after that of
    /// training at the end of an epoch comes that of the test.
    fn is_whole_at(&self, logged: u64) -> bool {
        self.step == logged && (self.split == Split::Test || self.epoch_loss.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(split: Split, step: u64) -> Line {
        Line {
            split,
            step,
            epoch: 1,
            loss: 0.1 + step as f64 / 3.0,
            accuracy: 1.0 / 3.0,
            rate: 0.1,
            alpha_residual: Some(0.7),
            lambda_mean: None,
            seconds: 0.5,
            epoch_loss: None,
            epoch_accuracy: None,
            skips: None,
        }
    }

    #[test]
    fn opening_cuts_what_the_checkpoint_does_not_know_wherever_it_is_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let all = [
            line(Split::Train, 2),
            line(Split::Train, 4),
            line(Split::Test, 4),
            line(Split::Train, 6),
        ];
        let (mut metrics, kept) = Metrics::open(&path, None).unwrap();
        assert!(kept.is_empty());
        all.iter().for_each(|l| metrics.append(l).unwrap());
        let text = std::fs::read(&path).unwrap();
        let third = text.split_inclusive(|&b| b == b'\n').take(3);
        let end_of_third = third.map(<[u8]>::len).sum::<usize>();
        for torn in end_of_third..=text.len() {
            std::fs::write(&path, &text[..torn]).unwrap();
            let (mut metrics, kept) = Metrics::open(&path, Some(4)).unwrap();
            assert_eq!(kept, all[..3], "torn at byte {torn}");
            metrics.append(&all[3]).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), text, "torn at byte {torn}");
        }
    }

    #[test]
    fn damage_among_lines_that_count_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let text = |line: &Line| serde_json::to_string(line).unwrap();
        let all = [
            line(Split::Train, 2),
            line(Split::Test, 2),
            line(Split::Train, 4),
            line(Split::Test, 4),
        ];
        let second_epoch = |step| Line {
            epoch: 2,
            ..line(Split::Train, step)
        };
        let nan = text(&all[2]).replace("\"rate\":0.1", "\"rate\":NaN");
        let damages = [
            ("letter".to_string(), "expected value at column 1"),
            (String::new(), "EOF"),
            (nan, "expected value at column"),
            (text(&all[0]), "another train line of step 2"),
            (text(&line(Split::Train, 1)), "step 1 after step 2"),
            (text(&second_epoch(3)), "epoch 1 after epoch 2"),
            (
                text(&Line {
                    epoch: 0,
                    ..all[2].clone()
                }),
                "epoch 0",
            ),
        ];
        for (damage, what) in damages {
            let mut lines: Vec<String> = all.iter().map(text).collect();
            lines.insert(2, damage);
            // The line itself, or the one after it that it is out of order with.
            std::fs::write(&path, lines.join("\n") + "\n").unwrap();
            for error in [
                read(&path).unwrap_err(),
                Metrics::open(&path, Some(4)).unwrap_err(),
            ] {
                let message = error.message;
                assert!(
                    message.contains("metrics.jsonl is damaged in line "),
                    "{message}"
                );
                assert!(message.contains(what), "{message}");
            }
            // The file is left as it was, and what the checkpoint does not count on is cut off.
            assert_eq!(
                std::fs::read_to_string(&path).unwrap(),
                lines.join("\n") + "\n"
            );
            let (_, kept) = Metrics::open(&path, Some(2)).unwrap();
            assert_eq!(kept, all[..2]);
        }
    }

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
