//! Grid of a sweep: the axes that are varied, and the runs that makes.

use super::range;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Runs of a grid at most.
pub const MAX_RUNS: usize = 100_000;

/// Characters of a value in a folder's name at most.
const LONGEST_VALUE: usize = 40;

/// Characters of a folder's name at most; file systems take 255 bytes.
const LONGEST_NAME: usize = 200;

/// A param or setting, and the values it takes, as they were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// The flag of `vanc train`, without its dashes.
    pub name: String,
    /// Values of the axis, at least one; no two are the same.
    pub values: Vec<String>,
}

/// Grid of runs: all combinations of the axes' values, each under every seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// The first varies slowest.
    pub axes: Vec<Axis>,
    /// Seeds, at least one; no two are the same. They vary fastest.
    pub seeds: Vec<u64>,
}

/// Run of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// A value for each axis, in their order.
    pub values: Vec<String>,
    /// Seed of the run.
    pub seed: u64,
    /// The name of its folder: `depth=5,policy=variable,seed=0`. It depends on the names,
    /// values and seed of this run alone, so a grid can grow.
    pub name: String,
}

impl Axis {
    /// Reads what `--vary` takes: `depth=1,5,10` or `depth=1..=4`. Commas in brackets do not
    /// separate. A value may be there twice.
    ///
    /// # Errors
    /// Where `text` is not a name, `=` and a list of values and ranges, or a value is empty.
    pub fn parse(text: &str) -> Result<Axis> {
        let example = "write it like --vary depth=1,5,10, --vary depth=1..=4, \
                       --vary 'policy=plain,resnet' or --vary 'rate=log(0.0001..1, 9)'";
        let wrong = |what: String| Error::new(format!("--vary {text}: {what}")).help(example);
        let Some((name, values)) = text.split_once('=') else {
            return Err(wrong("there is no `=` after the name".into()));
        };
        let name = name.trim().trim_start_matches("--");
        if name.is_empty() {
            return Err(wrong("there is no name before the `=`".into()));
        }
        let parts = split(values).map_err(wrong)?;
        if parts.iter().any(String::is_empty) {
            return Err(wrong("a value is empty".into()));
        }
        let mut values = Vec::new();
        for part in parts {
            match range::values(&part, MAX_RUNS).map_err(wrong)? {
                Some(range) => values.extend(range),
                None => values.push(part),
            }
        }
        Ok(Axis {
            name: name.into(),
            values,
        })
    }
}

/// Returns the parts of `text` between the commas that are outside brackets, trimmed.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![String::new()];
    let mut open = Vec::new();
    for c in text.chars() {
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(c) => {
                return Err(format!("this `{c}` closes nothing"));
            }
            _ => {}
        }
        match (c, parts.last_mut()) {
            (',', _) if open.is_empty() => parts.push(String::new()),
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    match open.pop() {
        Some(closer) => Err(format!("a `{closer}` is missing")),
        None => Ok(parts.iter().map(|part| part.trim().into()).collect()),
    }
}

/// Reads what `--seeds` takes: `10` for 0 to 9, or a list like `3,5,8`.
///
/// # Errors
/// Where `text` is neither a number nor a list of seeds, asks for none or for more than
/// [`MAX_RUNS`], or has a seed twice.
pub fn parse_seeds(text: &str) -> Result<Vec<u64>> {
    let wrong = |what: String| {
        Error::new(format!("--seeds {text}: {what}"))
            .help("give how many, such as 10 for the seeds 0 to 9, or a list such as 3,5,8")
    };
    let number = |word: &str| {
        parse_seed(word)
            .ok_or_else(|| wrong(format!("`{word}` is no whole number from 0 to 2⁶³ − 1")))
    };
    if !text.contains(',') {
        let count = number(text)?;
        return match usize::try_from(count) {
            Ok(1..=MAX_RUNS) => Ok((0..count).collect()),
            Ok(0) => Err(wrong("there must be at least one".into())),
            Ok(_) | Err(_) => Err(wrong(format!("there may be {MAX_RUNS} runs at most"))),
        };
    }
    let seeds = text.split(',').map(number).collect::<Result<Vec<_>>>()?;
    match twice(&seeds) {
        Some(seed) => Err(wrong(format!("{seed} is there twice"))),
        None => Ok(seeds),
    }
}

/// Reads one seed, which the language takes as an int.
pub fn parse_seed(word: &str) -> Option<u64> {
    u64::try_from(word.trim().parse::<i64>().ok()?).ok()
}

/// Finds the first value that was there before.
fn twice<T: Eq + std::hash::Hash>(values: &[T]) -> Option<&T> {
    let mut seen = HashSet::new();
    values.iter().find(|value| !seen.insert(*value))
}

impl Grid {
    /// Refuses a grid with an axis twice, or with nothing in it, or too much, or with two runs
    /// that would share a folder.
    ///
    /// # Errors
    /// Where an axis is there twice, the runs are none or more than [`MAX_RUNS`], or two are called
    /// alike.
    pub fn check(&self) -> Result<()> {
        self.check_size()?;
        self.check_names()
    }

    /// Refuses a grid with an axis twice, or with nothing in it, or too much.
    ///
    /// # Errors
    /// Where an axis is there twice, or the runs are none or more than [`MAX_RUNS`].
    pub fn check_size(&self) -> Result<()> {
        let names: Vec<&str> = self.axes.iter().map(|axis| axis.name.as_str()).collect();
        if let Some(name) = twice(&names) {
            return Err(Error::new(format!("--vary {name} is given twice"))
                .help(format!("give all its values at once: --vary {name}=…,…")));
        }
        let counts = self.axes.iter().map(|axis| axis.values.len());
        let count = counts.chain([self.seeds.len()]).try_fold(1usize, |all, n| {
            all.checked_mul(n).filter(|&all| all <= MAX_RUNS)
        });
        match count {
            None => Err(
                Error::new(format!("the grid has more than {MAX_RUNS} combinations"))
                    .help("leave out values or seeds, or make several sweeps"),
            ),
            Some(0) => Err(Error::new(
                "the grid is empty: an axis has no value, or no seed",
            )),
            Some(_) => Ok(()),
        }
    }

    /// Refuses runs that would share a folder.
    fn check_names(&self) -> Result<()> {
        let names: Vec<String> = self.runs().into_iter().map(|run| run.name).collect();
        match twice(&names) {
            Some(name) => Err(Error::new(format!(
                "two runs of the grid would both be written to {name}"
            ))
            .help("write one of the values in another way")),
            None => Ok(()),
        }
    }

    /// Lists the combinations of values, without the seeds.
    pub fn combinations(&self) -> Vec<Vec<String>> {
        self.axes
            .iter()
            .fold(vec![Vec::new()], |combinations, axis| {
                let extensions = |combination: &Vec<String>| -> Vec<Vec<String>> {
                    let values = axis.values.iter().cloned();
                    let extended = values.map(|value| [combination.clone(), vec![value]].concat());
                    extended.collect()
                };
                combinations.iter().flat_map(extensions).collect()
            })
    }

    /// Lists all runs, in the order of the results.
    pub fn runs(&self) -> Vec<Run> {
        let combinations = self.combinations();
        let seeds =
            |values: Vec<String>| self.seeds.iter().map(move |&seed| (values.clone(), seed));
        let runs = combinations.into_iter().flat_map(seeds);
        runs.map(|(values, seed)| Run {
            name: self.name(&values, seed),
            values,
            seed,
        })
        .collect()
    }

    /// Writes values as `depth=5 policy=plain`, for people.
    pub fn label(&self, values: &[String]) -> String {
        let pairs = self.axes.iter().zip(values);
        let pairs: Vec<String> = pairs
            .map(|(axis, v)| format!("{}={v}", axis.name))
            .collect();
        pairs.join(" ")
    }

    /// Makes the name of a run's folder.
    fn name(&self, values: &[String], seed: u64) -> String {
        let pairs = self.axes.iter().zip(values);
        let pairs = pairs.map(|(axis, value)| format!("{}={}", axis.name, safe(value)));
        let parts: Vec<String> = pairs.chain([format!("seed={seed}")]).collect();
        let name = parts.join(",");
        if name.len() <= LONGEST_NAME {
            return name;
        }
        // Only ASCII is in it.
        format!(
            "{}-{},seed={seed}",
            &name[..LONGEST_NAME / 2],
            digest(&name)
        )
    }
}

/// Writes `value` in letters, digits and a few signs that no shell or file system minds. Where
/// that leaves something out, a check sum keeps values apart: `variable-lambda-0-d2ac`.
fn safe(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let words = value.split(|c| !plain(c)).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-");
    name.truncate(LONGEST_VALUE);
    match name == value {
        true => name,
        false => format!("{name}-{}", digest(value)),
    }
}

/// Computes four hexadecimal digits of the CRC-32 of `text`.
fn digest(text: &str) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    format!("{:04x}", crc.sum() & 0xFFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(text: &str) -> Axis {
        Axis::parse(text).unwrap()
    }

    #[test]
    fn commas_in_brackets_do_not_separate() {
        let values = |text: &str| axis(text).values;
        assert_eq!(values("depth=1, 5,10"), ["1", "5", "10"]);
        assert_eq!(
            values("policy=plain,variable(lambda: 0, form: convex),dirac"),
            ["plain", "variable(lambda: 0, form: convex)", "dirac"]
        );
        assert_eq!(
            values("schedule=step(at: [82, 125], factor: 0.1),cosine"),
            ["step(at: [82, 125], factor: 0.1)", "cosine"]
        );
        assert_eq!(values("bias=-1,-2"), ["-1", "-2"]);
        assert_eq!(axis("--depth=1").name, "depth");
        assert_eq!(values("depth=1..=3,10"), ["1", "2", "3", "10"]);
        assert_eq!(values("rate=log(0.01..1, 3),5"), ["0.01", "0.1", "1", "5"]);
    }

    #[test]
    fn what_is_no_axis_is_refused() {
        for wrong in [
            "depth",
            "=1,2",
            "depth=",
            "depth=1,,2",
            "depth=1,",
            "p=f(1,2",
            "p=f(1]",
            "p=1)",
            "depth=4..=1",
            "rate=log(0..1, 3)",
            "",
        ] {
            let error = Axis::parse(wrong).unwrap_err();
            assert!(error.message.starts_with("--vary"), "{error}");
        }
    }

    #[test]
    fn seeds_are_counted_or_listed() {
        assert_eq!(parse_seeds("3").unwrap(), [0, 1, 2]);
        assert_eq!(parse_seeds("3,5, 8").unwrap(), [3, 5, 8]);
        for wrong in [
            "0",
            "-1",
            "x",
            "1.5",
            "3,3",
            "3,",
            "",
            "100001",
            "99999999999999999999",
            "1,9223372036854775808",
        ] {
            assert!(parse_seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_axis_is_slowest_and_seeds_are_fastest() {
        let grid = Grid {
            axes: vec![axis("depth=1,5"), axis("policy=plain,variable(lambda: 0)")],
            seeds: vec![0, 4],
        };
        grid.check().unwrap();
        let runs = grid.runs();
        let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
        let digest = digest("variable(lambda: 0)");
        assert_eq!(
            names[..4],
            [
                "depth=1,policy=plain,seed=0".to_string(),
                "depth=1,policy=plain,seed=4".to_string(),
                format!("depth=1,policy=variable-lambda-0-{digest},seed=0"),
                format!("depth=1,policy=variable-lambda-0-{digest},seed=4"),
            ]
        );
        assert_eq!(runs[7].values, ["5", "variable(lambda: 0)"]);
        assert_eq!(
            grid.label(&runs[7].values),
            "depth=5 policy=variable(lambda: 0)"
        );
    }

    #[test]
    fn names_are_short_safe_and_apart() {
        let names = |values: &[&str]| -> Vec<String> {
            let values = values.iter().map(|v| v.to_string()).collect();
            let grid = Grid {
                axes: vec![Axis {
                    name: "a".into(),
                    values,
                }],
                seeds: vec![0],
            };
            grid.check().unwrap();
            grid.runs().into_iter().map(|run| run.name).collect()
        };
        let long = ["x".repeat(5000), "x".repeat(5001)];
        let names = names(&[
            "../../etc",
            "f(1)",
            "f[1]",
            "f-1",
            "α",
            "a/b\n\0",
            &long[0],
            &long[1],
        ]);
        for name in names {
            assert!(name.len() < 255 && name.is_ascii(), "{name}");
            assert!(!name.contains(['/', '\n', '\0', ' ', '(']), "{name}");
        }
        let axes = (0..50).map(|i| axis(&format!("axis_number_{i}=1")));
        let grid = Grid {
            axes: axes.collect(),
            seeds: vec![0, 1],
        };
        grid.check().unwrap();
        assert!(grid.runs()[1].name.len() < 255);
    }

    #[test]
    fn grids_that_are_empty_or_too_large_are_refused() {
        let grid = |axes: &[&str], seeds: &[u64]| Grid {
            axes: axes.iter().map(|text| axis(text)).collect(),
            seeds: seeds.to_vec(),
        };
        assert!(grid(&["a=1", "a=2"], &[0]).check().is_err());
        assert!(grid(&["a=1"], &[]).check().is_err());
        let many = format!(
            "a={}",
            (0..400)
                .map(|i| i.to_string())
                .collect::<Vec<_>>()
                .join(",")
        );
        let seeds: Vec<u64> = (0..400).collect();
        let error = grid(&[&many], &seeds).check().unwrap_err();
        assert!(error.message.contains("100000"), "{error}");
        grid(&[], &[7]).check().unwrap();
    }
}
