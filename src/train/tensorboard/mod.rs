//! The log once more, as TensorBoard reads it: a preface with the settings, the source and the
//! first images, then the points of every line, and at the end of the run its confusion matrix.
//!
//! An event file is a function of the preface, the lines of `metrics.jsonl` and the moment the
//! run began, so on resuming it is made to agree with the lines that are kept: what a killed
//! process wrote beyond them is cut off, what is missing is written, and no point is there
//! twice.
//!
//! The file is TFRecords: length (`u64`), its masked CRC-32C, the bytes, their masked
//! CRC-32C, all little-endian, each record a protobuf `Event`.

mod message;
mod picture;
mod preface;

pub use preface::Preface;
pub(super) use preface::hyperparameters;

use super::confusion::Record;
use super::metrics::{Line, Split};
use crate::error::{Error, Result};
use crate::files::{self, remove, write_atomic, write_error};
use crc::{CRC_32_ISCSI, Crc};
use message::Message;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// CRC-32C.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Bytes of a record before its event, which begins with the wall time: a field's key
/// and eight bytes.
const BEFORE_EVENT: usize = 12;

/// The file, open for appending.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
    /// Seconds since 1970 at which the run began.
    begun: f64,
}

/// Returns the path of the event file of the run in `dir`. TensorBoard knows it by the middle of
/// its name.
pub fn path(dir: &Path) -> PathBuf {
    dir.join("events.out.tfevents.vanc")
}

impl Events {
    /// Opens the file of the run in `dir` with the preface, a point for every value of `lines`
    /// and no other; without `lines` it is begun anew.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn open(dir: &Path, preface: &Preface, lines: &[Line]) -> Result<Events> {
        let path = path(dir);
        let there = match files::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(Error::io("read", &path, e)),
        };
        let begun = match (wall_time(&there), lines.last()) {
            (Some(begun), Some(_)) => begun,
            (_, last) => now() - last.map_or(0.0, |line| line.seconds),
        };
        let mut wanted = record(&version_event(begun));
        for summary in preface.summaries(begun)? {
            wanted.extend(record(&summary_event(begun, 0, &summary)));
        }
        for line in lines {
            wanted.extend(records(line, begun));
        }
        if there.starts_with(&wanted) {
            // In place, so that a TensorBoard that reads it goes on reading.
            let file = OpenOptions::new().write(true).open(&path);
            file.and_then(|file| file.set_len(wanted.len() as u64))
                .map_err(|e| write_error(&path, e))?;
        } else {
            write_atomic(&path, &wanted)?;
        }
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(|e| write_error(&path, e))?;
        Ok(Events { path, file, begun })
    }

    /// Removes the file of the run in `dir`, if there is one.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub fn remove(dir: &Path) -> Result<()> {
        remove(&path(dir))
    }

    /// Appends the picture of the confusion matrix that a run ends with, `seconds` after it began.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn finish(&mut self, record: &Record, seconds: f64) -> Result<()> {
        let Some(picture) = picture::confusion(record)? else {
            return Ok(());
        };
        let event = summary_event(self.begun + seconds, record.step, &picture);
        let written = self.file.write_all(&self::record(&event));
        written.map_err(|e| write_error(&self.path, e))
    }

    /// Appends the points of a line, in one write.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn append(&mut self, line: &Line) -> Result<()> {
        let written = self.file.write_all(&records(line, self.begun));
        written.map_err(|e| write_error(&self.path, e))
    }
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// Reads the wall time of the first event of a file.
fn wall_time(file: &[u8]) -> Option<f64> {
    let time = file.get(BEFORE_EVENT + 1..)?.first_chunk::<8>()?;
    Some(f64::from_le_bytes(*time)).filter(|time| time.is_finite() && *time >= 0.0)
}

/// Lists the names and values of a line's points. The rate and what there is of α and λ stand in
/// both lines of an epoch's end; they are taken from the training line.
fn points(line: &Line) -> Vec<(String, f64)> {
    let split = match line.split {
        Split::Train => "train",
        Split::Test => "test",
    };
    let mut points = vec![
        (format!("loss/{split}"), line.loss),
        (format!("accuracy/{split}"), line.accuracy),
    ];
    if line.split == Split::Train {
        let means = [
            ("learning_rate", Some(line.rate)),
            ("alpha_residual", line.alpha_residual),
            ("lambda_mean", line.lambda_mean),
        ];
        let means = means.into_iter();
        points.extend(means.filter_map(|(name, value)| Some((name.to_owned(), value?))));
        for skip in line.skips.iter().flatten() {
            points.push((format!("alpha/{}", skip.path), skip.alpha_mean));
            points.push((format!("lambda/{}", skip.path), skip.lambda_mean));
        }
    }
    points
}

/// Writes the record of each point of `line`, in a run that began at `begun`.
fn records(line: &Line, begun: f64) -> Vec<u8> {
    let time = begun + line.seconds;
    let points = points(line).into_iter();
    points
        .flat_map(|(tag, value)| record(&scalar_event(time, line.step, &tag, value as f32)))
        .collect()
}

/// Writes a TFRecord of `data`.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked_crc(data).to_le_bytes());
    out
}

/// Computes CRC-32C, rotated and shifted, as it is where the sum itself is in what is summed.
fn masked_crc(data: &[u8]) -> u32 {
    CRC.checksum(data)
        .rotate_right(15)
        .wrapping_add(0xA282_EAD8)
}

// What TensorBoard's `event.proto` and `summary.proto` say:
//
//     Event    1: double wall_time  2: int64 step  3: string file_version  5: Summary
//     Summary  1: repeated Value
//     Value    1: string tag  2: float simple_value

/// Writes the event that a file begins with.
fn version_event(time: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, time);
    event.bytes(3, b"brain.Event:2");
    event.0
}

/// Writes the event of one point.
fn scalar_event(time: f64, step: u64, tag: &str, value: f32) -> Vec<u8> {
    let mut point = Message::default();
    point.bytes(1, tag.as_bytes());
    point.float(2, value);
    summary_event(time, step, &point)
}

/// Writes the event of one value of a summary.
fn summary_event(time: f64, step: u64, value: &Message) -> Vec<u8> {
    let mut summary = Message::default();
    summary.bytes(1, &value.0);
    let mut event = Message::default();
    event.double(1, time);
    event.integer(2, step);
    event.bytes(5, &summary.0);
    event.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(split: Split, step: u64) -> Line {
        Line {
            split,
            step,
            epoch: 1,
            loss: 0.5,
            accuracy: 0.25,
            rate: 0.1,
            alpha_residual: Some(0.7),
            lambda_mean: None,
            seconds: step as f64,
            epoch_loss: None,
            epoch_accuracy: None,
            skips: None,
        }
    }

    #[test]
    fn the_sum_is_crc_32c() {
        assert_eq!(CRC.checksum(b"123456789"), 0xE306_9283);
    }

    /// Compares with bytes that TensorBoard's own writer made.
    #[test]
    fn events_are_what_tensorboard_writes() {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let version = record(&version_event(1.7e9));
        let scalar = record(&scalar_event(1.7e9, 300, "loss/train", 0.5));
        assert_eq!(
            hex(&version),
            "1800000000000000a37f4b220900000040fc54d9411a0d627261696e2e4576656e743a32eced8f9d"
        );
        assert_eq!(
            hex(&scalar),
            "2100000000000000017becf60900000040fc54d94110ac022a130a110a0a6c6f73732f747261696e150000003ff5c5c91f"
        );
    }

    #[test]
    fn a_file_is_made_to_agree_with_the_lines_wherever_it_was_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        let lines = [
            line(Split::Train, 2),
            line(Split::Train, 4),
            line(Split::Test, 4),
        ];
        let mut events = Events::open(dir.path(), &Preface::default(), &[]).unwrap();
        for line in &lines {
            events.append(line).unwrap();
        }
        let all = std::fs::read(&path).unwrap();
        // From where the moment it began is whole.
        for torn in 21..=all.len() {
            std::fs::write(&path, &all[..torn]).unwrap();
            let mut events = Events::open(dir.path(), &Preface::default(), &lines[..1]).unwrap();
            events.append(&lines[1]).unwrap();
            events.append(&lines[2]).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), all, "torn at byte {torn}");
        }
        // Nothing is left to tell when the run began; its points are there all the same.
        std::fs::write(&path, &all[..15]).unwrap();
        Events::open(dir.path(), &Preface::default(), &lines).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), all.len());
        Events::open(dir.path(), &Preface::default(), &[]).unwrap();
        assert!(std::fs::read(&path).unwrap().len() < all.len());
    }
}
