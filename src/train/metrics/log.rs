//! The file `metrics.jsonl`: appended to by a run, and read with whatever happened to it.

use super::line::Line;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files::{self, write_atomic, write_error};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A line of the file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Number of the line, from 1.
    pub line: usize,
    /// Cause.
    pub what: String,
}

/// Contents of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// Lines in order, those left out that are damaged.
    pub lines: Vec<Line>,
    /// Lines that are damaged or out of order.
    pub damaged: Vec<Damage>,
}

impl Log {
    /// Says for a person which lines of the file at `path` were left out, if any were.
    pub fn note(&self, path: &Path) -> Option<String> {
        let first = self.damaged.first()?;
        let (path, line, what) = (path.shown(), first.line, &first.what);
        Some(match self.damaged.len() {
            1 => format!("{path} is damaged: line {line} is left out ({what})"),
            count => {
                format!("{path} is damaged: {count} lines are left out, first line {line} ({what})")
            }
        })
    }
}

/// Reads the whole lines of `path`. A last one that is cut off is left out: a process is writing
/// it, or was killed as it did.
///
/// # Errors
/// Where the file cannot be read, or a line is damaged or out of order; the error names it.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    let log = read_log(path)?;
    match log.damaged.first() {
        None => Ok(log.lines),
        Some(Damage { line, what }) => {
            let path = path.shown();
            Err(
                Error::new(format!("{path} is damaged in line {line}: {what}"))
                    .help("delete the line to do without it; the weights are in the checkpoints"),
            )
        }
    }
}

/// Reads the whole lines of `path` that can be read, and what is wrong with the others.
///
/// # Errors
/// Where the file cannot be read.
pub fn read_log(path: &Path) -> Result<Log> {
    let text = files::read(path).map_err(|e| Error::io("read", path, e))?;
    Ok(Contents::parse(&text).log())
}

/// Lines of a text, each with its place.
#[derive(Default)]
struct Contents<'a> {
    /// Number, text with its end, and contents.
    whole: Vec<(usize, &'a [u8], Line)>,
    damaged: Vec<Damage>,
}

impl<'a> Contents<'a> {
    fn parse(text: &'a [u8]) -> Contents<'a> {
        let mut contents = Contents::default();
        let ended = text.split_inclusive(|&b| b == b'\n');
        for (text, line) in ended.take_while(|text| text.ends_with(b"\n")).zip(1..) {
            match Line::parse(text) {
                Ok(found) => contents.whole.push((line, text, found)),
                Err(what) => contents.damaged.push(Damage { line, what }),
            }
        }
        contents.order();
        contents
    }

    /// Leaves the fewest lines out without which steps and epochs go up.
    fn order(&mut self) {
        let keys: Vec<_> = self.whole.iter().map(|(_, _, line)| line.key()).collect();
        let mut kept = rising(&keys).into_iter().peekable();
        let mut last: Option<Line> = None;
        let mut ordered = Vec::new();
        for (index, (number, text, line)) in std::mem::take(&mut self.whole).into_iter().enumerate()
        {
            let rises = kept.next_if_eq(&index).is_some();
            let follows = last.as_ref().is_none_or(|last| last.epoch <= line.epoch);
            if rises && follows {
                last = Some(line.clone());
                ordered.push((number, text, line));
            } else {
                let what = match &last {
                    Some(last) if !follows || line.key() <= last.key() => line.misplaced(last),
                    Some(_) | None => format!("step {} before the steps after it", line.step),
                };
                self.damaged.push(Damage { line: number, what });
            }
        }
        self.whole = ordered;
        self.damaged.sort_by_key(|damage| damage.line);
    }

    fn log(self) -> Log {
        let lines = self.whole.into_iter().map(|(_, _, line)| line).collect();
        Log {
            lines,
            damaged: self.damaged,
        }
    }
}

/// Indices of the longest part of `keys` that goes up, the earliest of several at each length.
fn rising<T: Ord>(keys: &[T]) -> Vec<usize> {
    // By length, the index at which such a part of least last key ends.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let length = ends.partition_point(|&end| keys[end] < *key);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) if keys[*end] > *key => *end = index,
            Some(_) => {}
            None => ends.push(index),
        }
    }
    let mut at = ends.last().copied();
    let mut found = Vec::with_capacity(ends.len());
    while let Some(index) = at {
        found.push(index);
        at = before[index];
    }
    found.reverse();
    found
}

/// The file, open for appending.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
}

/// Lines of a run that goes on.
#[derive(Debug, Default)]
pub struct Kept {
    /// Lines up to the checkpoint.
    pub lines: Vec<Line>,
    /// Damage to the file, and where it is kept as it was, for a person.
    pub note: Option<String>,
}

impl Metrics {
    /// Opens `path` with the lines up to step `logged` in it, and returns those; what
    /// follows was written after the checkpoint that is resumed, perhaps torn, and is
    /// cut off. `None` keeps nothing.
    ///
    /// Where lines before that are damaged, the file is kept as it was beside, and goes on
    /// without them.
    ///
    /// # Errors
    /// Where the file cannot be opened, read, cut, or kept.
    pub fn open(path: &Path, logged: Option<u64>) -> Result<(Metrics, Kept)> {
        let mut kept = Kept::default();
        let open = || {
            files::open_with(path, OpenOptions::new().create(true).append(true))
                .map_err(|e| write_error(path, e))
        };
        let file = open()?;
        let text = files::read(path).map_err(|e| Error::io("read", path, e))?;
        let contents = Contents::parse(&text);
        let mut whole = Vec::new();
        if let Some(logged) = logged {
            whole = contents.whole;
            whole.retain(|(_, _, line)| line.step <= logged);
            // After the last line that the checkpoint counts on, a crash may leave anything.
            let last = whole.last().filter(|(_, _, line)| line.is_whole_at(logged));
            let counted = last.map_or(usize::MAX, |&(number, _, _)| number);
            let mut damaged = contents.damaged;
            damaged.retain(|damage| damage.line < counted);
            let log = Log {
                lines: Vec::new(),
                damaged,
            };
            if let Some(note) = log.note(path) {
                let beside = keep_beside(path, &text)?;
                kept.note = Some(format!(
                    "{note}; the file as it was is kept as {}",
                    beside.shown()
                ));
            }
        }
        let good: Vec<u8> = whole
            .iter()
            .flat_map(|(_, text, _)| *text)
            .copied()
            .collect();
        kept.lines = whole.into_iter().map(|(_, _, line)| line).collect();
        let file = match text.starts_with(&good) {
            true => {
                file.set_len(good.len() as u64)
                    .and_then(|()| file.sync_all())
                    .map_err(|e| write_error(path, e))?;
                file
            }
            false => {
                write_atomic(path, &good)?;
                open()?
            }
        };
        let path = path.to_owned();
        Ok((Metrics { path, file }, kept))
    }

    /// Appends a line, in one write.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn append(&mut self, line: &Line) -> Result<()> {
        let text = line
            .to_text()
            .map_err(|e| Error::new(format!("cannot write {}: {e}", self.path.shown())))?;
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

/// Writes `text` to the first free of `metrics.jsonl.damaged`, `metrics.jsonl.damaged2` and so on,
/// if none of them has it already; returns its path.
fn keep_beside(path: &Path, text: &[u8]) -> Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = (1_u64..).map(|number| match number {
        1 => format!("{name}.damaged"),
        _ => format!("{name}.damaged{number}"),
    });
    for beside in names.map(|name| path.with_file_name(name)) {
        if beside.symlink_metadata().is_err() {
            write_atomic(&beside, text)?;
            return Ok(beside);
        }
        if files::read(&beside).is_ok_and(|there| there == text) {
            return Ok(beside);
        }
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Split;

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

    fn texts(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.to_text().unwrap()).collect()
    }

    fn in_folder() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        (dir, path)
    }

    fn all() -> [Line; 5] {
        [
            line(Split::Train, 2),
            line(Split::Test, 2),
            // At the end of an epoch, so that a test follows.
            Line {
                epoch_loss: Some(0.5),
                ..line(Split::Train, 4)
            },
            line(Split::Test, 4),
            line(Split::Train, 6),
        ]
    }

    #[test]
    fn opening_cuts_what_the_checkpoint_does_not_know_wherever_it_is_torn() {
        let (dir, path) = in_folder();
        let all = all();
        let (mut metrics, kept) = Metrics::open(&path, None).unwrap();
        assert!(kept.lines.is_empty());
        all.iter().for_each(|l| metrics.append(l).unwrap());
        let text = std::fs::read(&path).unwrap();
        let fourth = text.split_inclusive(|&b| b == b'\n').take(4);
        let end_of_fourth = fourth.map(<[u8]>::len).sum::<usize>();
        for torn in end_of_fourth..=text.len() {
            std::fs::write(&path, &text[..torn]).unwrap();
            let (mut metrics, kept) = Metrics::open(&path, Some(4)).unwrap();
            assert_eq!(kept.lines, all[..4], "torn at byte {torn}");
            assert_eq!(kept.note, None, "torn at byte {torn}");
            metrics.append(&all[4]).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), text, "torn at byte {torn}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// Any flipped bit costs its own line, or two where it joins them, and is told; a resume
    /// keeps the rest, and the file as it was.
    #[test]
    fn a_flipped_bit_costs_its_line_and_no_other() {
        let (_dir, path) = in_folder();
        let all = all();
        let text: Vec<u8> = texts(&all).concat().into_bytes();
        let first_four: usize = texts(&all[..4]).iter().map(String::len).sum();
        for byte in 0..first_four - 1 {
            let mut damaged = text.clone();
            damaged[byte] ^= 1 << (byte % 8);
            std::fs::write(&path, &damaged).unwrap();
            let log = read_log(&path).unwrap();
            let lost = all.iter().filter(|line| !log.lines.contains(line)).count();
            assert!(lost <= 2, "byte {byte} cost {lost} lines");
            assert!(
                log.lines.iter().all(|line| all.contains(line)),
                "byte {byte}"
            );
            assert_eq!(lost > 0, !log.damaged.is_empty(), "byte {byte}");
            assert_eq!(read(&path).is_err(), lost > 0, "byte {byte}");
            let beside = path.with_file_name("metrics.jsonl.damaged");
            let _ = std::fs::remove_file(&beside);
            let (mut metrics, kept) = Metrics::open(&path, Some(4)).unwrap();
            metrics.append(&all[4]).unwrap();
            assert_eq!(kept.note.is_some(), lost > 0, "byte {byte}");
            assert_eq!(kept.lines[..], log.lines[..log.lines.len() - 1]);
            if lost > 0 {
                assert_eq!(std::fs::read(&beside).unwrap(), damaged, "byte {byte}");
            }
            let again = read_log(&path).unwrap();
            assert_eq!(again.lines, log.lines, "byte {byte}");
            assert_eq!(again.damaged, [], "byte {byte}");
        }
    }

    #[test]
    fn damage_is_named_and_the_lines_around_it_are_read() {
        let (_dir, path) = in_folder();
        let all = all();
        let second_epoch = |step| Line {
            epoch: 2,
            ..line(Split::Train, step)
        };
        let unchecked = |line: &Line| serde_json::to_string(line).unwrap() + "\n";
        let damages = [
            ("letter\n".to_string(), "expected value at column 1"),
            ("\n".into(), "EOF"),
            (
                unchecked(&all[2]).replace("\"rate\":0.1", "\"rate\":NaN"),
                "expected value at column",
            ),
            (
                all[2].to_text().unwrap().replace("0.1", "0.2"),
                "its check does not agree",
            ),
            (unchecked(&all[0]), "step 2"),
            (unchecked(&line(Split::Train, 1)), "step 1 after step 2"),
            (
                unchecked(&line(Split::Train, 1 << 40)),
                "before the steps after it",
            ),
            (
                unchecked(&Line {
                    epoch: 0,
                    ..all[2].clone()
                }),
                "epoch 0",
            ),
        ];
        for (damage, what) in damages {
            let mut lines = texts(&all);
            lines.insert(2, damage);
            std::fs::write(&path, lines.concat()).unwrap();
            let log = read_log(&path).unwrap();
            assert_eq!(log.lines, all, "{what}");
            let [
                Damage {
                    line: 3,
                    what: said,
                },
            ] = &log.damaged[..]
            else {
                panic!("{what}: {:?}", log.damaged);
            };
            assert!(said.contains(what), "{said}");
            let note = log.note(&path).unwrap();
            assert!(note.contains("line 3 is left out"), "{note}");
        }
        let mut lines = texts(&all);
        lines.insert(2, unchecked(&second_epoch(3)));
        std::fs::write(&path, lines.concat()).unwrap();
        assert!(!read_log(&path).unwrap().damaged.is_empty());
    }

    #[test]
    fn lines_without_checks_are_read_and_kept() {
        let (_dir, path) = in_folder();
        let all = all();
        let old: String = all[..4]
            .iter()
            .map(|line| serde_json::to_string(line).unwrap() + "\n")
            .collect();
        std::fs::write(&path, &old).unwrap();
        assert_eq!(read(&path).unwrap(), all[..4]);
        let (mut metrics, kept) = Metrics::open(&path, Some(4)).unwrap();
        assert_eq!(kept.lines, all[..4]);
        metrics.append(&all[4]).unwrap();
        let now = std::fs::read_to_string(&path).unwrap();
        assert_eq!(now, old + &all[4].to_text().unwrap());
        assert_eq!(read(&path).unwrap(), all);
    }

    #[test]
    fn every_damaged_file_is_kept_under_a_name_of_its_own() {
        let (dir, path) = in_folder();
        for text in ["one", "two", "one"] {
            keep_beside(&path, text.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        let second = dir.path().join("metrics.jsonl.damaged2");
        assert_eq!(std::fs::read_to_string(second).unwrap(), "two");
    }
}
