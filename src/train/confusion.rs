//! Confusion matrix: which class was taken for which.

use super::evaluate::Prediction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Classes among which the right one is looked for beside the first.
pub const FIVE: usize = 5;

/// Counts of (class of the image, class predicted); most pairs of many classes never
/// occur, so only those that do are held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    pairs: BTreeMap<(usize, usize), u64>,
    /// Images whose class is among the five with the largest logits.
    in_five: u64,
}

/// Scores of a class; each is nothing where it would be a share of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Share of the images taken for the class that are of it.
    pub precision: Option<f64>,
    /// Share of the images of the class that are taken for it: its accuracy.
    pub recall: Option<f64>,
    /// Harmonic mean of both: 2·right / (images of the class + images taken for it).
    pub f1: Option<f64>,
}

/// Confusion matrix of a run's last evaluation, as its folder keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Steps done before the evaluation.
    pub step: u64,
    /// Class names, by class index.
    pub classes: Vec<String>,
    /// Images whose class is among the five with the largest logits.
    in_five: u64,
    /// Class of the images, class predicted, images.
    pairs: Vec<(usize, usize, u64)>,
}

impl Record {
    /// Keeps `confusion`, found after `step` steps.
    pub fn new(step: u64, classes: &[String], confusion: &Confusion) -> Self {
        let pairs = confusion.pairs.iter();
        Record {
            step,
            classes: classes.to_vec(),
            in_five: confusion.in_five,
            pairs: pairs
                .map(|(&(label, class), &n)| (label, class, n))
                .collect(),
        }
    }

    /// Returns the matrix.
    pub fn confusion(&self) -> Confusion {
        let pairs = self.pairs.iter();
        Confusion {
            pairs: pairs
                .map(|&(label, class, n)| ((label, class), n))
                .collect(),
            in_five: self.in_five,
        }
    }
}

/// Two classes and how often the first was taken for the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistaken {
    /// Class of the images.
    pub label: usize,
    /// Class predicted.
    pub class: usize,
    /// Images.
    pub images: u64,
}

impl Confusion {
    /// Counts a prediction.
    pub fn add(&mut self, prediction: &Prediction) {
        let pair = (prediction.label, prediction.class);
        *self.pairs.entry(pair).or_default() += 1;
        self.in_five += u64::from(prediction.rank < FIVE);
    }

    /// Counts the images of `label` that were taken for `class`.
    pub fn count(&self, label: usize, class: usize) -> u64 {
        self.pairs.get(&(label, class)).copied().unwrap_or(0)
    }

    /// Counts the images of each of `classes` classes.
    pub fn images(&self, classes: usize) -> Vec<u64> {
        self.sums(classes, |(label, _)| label)
    }

    fn sums(&self, classes: usize, key: fn((usize, usize)) -> usize) -> Vec<u64> {
        let mut sums = vec![0; classes];
        for (&pair, images) in &self.pairs {
            if let Some(sum) = sums.get_mut(key(pair)) {
                *sum += images;
            }
        }
        sums
    }

    /// Computes the scores of each of `classes` classes.
    pub fn scores(&self, classes: usize) -> Vec<Scores> {
        let (of, taken) = (self.images(classes), self.sums(classes, |(_, class)| class));
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let scores = (0..classes).map(|class| {
            let right = self.count(class, class);
            Scores {
                precision: share(right, taken[class]),
                recall: share(right, of[class]),
                f1: share(2 * right, of[class] + taken[class]),
            }
        });
        scores.collect()
    }

    /// Computes the share of the images whose class is among the five with the largest logits;
    /// nothing where there are no images.
    pub fn top_five(&self) -> Option<f64> {
        let images: u64 = self.pairs.values().sum();
        (images > 0).then(|| self.in_five as f64 / images as f64)
    }

    /// Lists the mistakes, the most frequent first.
    pub fn mistakes(&self) -> Vec<Mistaken> {
        let wrong = self
            .pairs
            .iter()
            .filter(|((label, class), _)| label != class);
        let mut mistakes: Vec<Mistaken> = wrong
            .map(|(&(label, class), &images)| Mistaken {
                label,
                class,
                images,
            })
            .collect();
        mistakes.sort_by_key(|mistaken| std::cmp::Reverse(mistaken.images));
        mistakes
    }
}

impl Scores {
    /// Computes the mean over classes of those scores that there are.
    pub fn mean(scores: &[Scores]) -> Scores {
        let mean = |score: fn(&Scores) -> Option<f64>| {
            let there: Vec<f64> = scores.iter().filter_map(score).collect();
            (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
        };
        Scores {
            precision: mean(|s| s.precision),
            recall: mean(|s| s.recall),
            f1: mean(|s| s.f1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Confusion {
        let mut confusion = Confusion::default();
        for (label, class, rank) in [(0, 0, 0), (0, 1, 4), (0, 1, 5), (2, 0, 1), (2, 2, 0)] {
            confusion.add(&Prediction {
                label,
                class,
                rank,
                loss: 0.0,
            });
        }
        confusion
    }

    #[test]
    fn counts_by_class() {
        let confusion = small();
        assert_eq!(confusion.images(3), [3, 0, 2]);
        let mistakes = confusion.mistakes();
        assert_eq!(
            (mistakes[0].label, mistakes[0].class, mistakes[0].images),
            (0, 1, 2)
        );
        assert_eq!(mistakes.len(), 2);
        assert_eq!(confusion.top_five(), Some(0.8));
        assert_eq!(Confusion::default().top_five(), None);
    }

    #[test]
    fn scores_are_shares_of_rows_and_columns() {
        let scores = small().scores(3);
        let found = |i: usize| (scores[i].precision, scores[i].recall, scores[i].f1);
        assert_eq!(found(0), (Some(0.5), Some(1.0 / 3.0), Some(0.4)));
        assert_eq!(found(1), (Some(0.0), None, Some(0.0)));
        assert_eq!(found(2), (Some(1.0), Some(0.5), Some(2.0 / 3.0)));
        assert_eq!(Scores::mean(&scores).precision, Some(0.5));
        assert_eq!(Scores::mean(&[]).f1, None);
    }

    #[test]
    fn a_record_keeps_all() {
        let record = Record::new(7, &["a".into(), "b".into(), "c".into()], &small());
        let text = serde_json::to_string(&record).unwrap();
        let read: Record = serde_json::from_str(&text).unwrap();
        assert_eq!((read.confusion(), read.step), (small(), 7));
    }
}
