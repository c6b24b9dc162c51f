//! A part of a grid, for one of several machines.

use crate::error::{Error, Result};

/// The part number `index` + 1 of `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Number of the part, from 0, below `count`.
    index: usize,
    count: usize,
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "part {} of {}", self.index + 1, self.count)
    }
}

impl Shard {
    /// Reads what `--shard` takes: `2/8`. There may be more parts than runs; then some are empty.
    ///
    /// # Errors
    /// Where `text` is not `I/N` with I from 1 to N.
    pub fn parse(text: &str) -> Result<Shard> {
        let wrong = |what: String| {
            Error::new(format!("--shard {text}: {what}"))
                .help("give I/N with I from 1 to N: --shard 2/8 is the second of eight parts")
        };
        let (index, count) = text
            .split_once('/')
            .ok_or_else(|| wrong("there is no `/` in it".into()))?;
        let number = |word: &str| {
            let word = word.trim();
            let number = word.parse::<usize>();
            number.map_err(|_| wrong(format!("`{word}` is no number of parts")))
        };
        match (number(index)?, number(count)?) {
            (_, 0) => Err(wrong("there must be at least one part".into())),
            (0, _) => Err(wrong("parts are counted from 1".into())),
            (index, count) if index > count => {
                Err(wrong(format!("there is no part {index} of {count}")))
            }
            (index, count) => Ok(Shard {
                index: index - 1,
                count,
            }),
        }
    }

    /// Whether the run at `place` in the grid's order belongs to this part. Runs are
    /// dealt round, and each round begins one part further, so that an axis with as many
    /// values as there are parts is not dealt a value a part.
    pub fn takes(self, place: usize) -> bool {
        let (round, dealt) = (place / self.count, place % self.count);
        (dealt + round % self.count) % self.count == self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_even_and_whole() {
        for count in 1..9 {
            let shards: Vec<Shard> = (1..=count)
                .map(|i| Shard::parse(&format!("{i}/{count}")).unwrap())
                .collect();
            for runs in 0..50 {
                let owners = |place| shards.iter().filter(|s| s.takes(place)).count();
                assert!((0..runs).all(|place| owners(place) == 1));
                let sizes = shards
                    .iter()
                    .map(|s| (0..runs).filter(|&p| s.takes(p)).count());
                let sizes: Vec<usize> = sizes.collect();
                assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            }
        }
    }

    /// Deals five depths, the fastest axis, to five machines: none has only the deepest.
    #[test]
    fn no_part_is_left_with_the_dear_runs() {
        let shard = Shard::parse("5/5").unwrap();
        let depths: Vec<usize> = (0..25).filter(|&p| shard.takes(p)).map(|p| p % 5).collect();
        assert_eq!(depths, [4, 3, 2, 1, 0]);
    }

    #[test]
    fn more_parts_than_runs_leave_some_empty() {
        let takes = |text: &str| {
            let shard = Shard::parse(text).unwrap();
            (0..4).filter(|&place| shard.takes(place)).count()
        };
        assert_eq!((takes("4/1000000"), takes("5/1000000")), (1, 0));
        assert_eq!(takes(&format!("{0}/{0}", usize::MAX)), 0);
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for wrong in [
            "",
            "1",
            "0/3",
            "4/3",
            "1/0",
            "-1/3",
            "a/b",
            "1/3/5",
            "1/99999999999999999999",
            "/",
        ] {
            assert!(Shard::parse(wrong).is_err(), "{wrong}");
        }
    }
}
