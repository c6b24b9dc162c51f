//! Confusion matrix: which class was taken for which.

use super::evaluate::Prediction;
use std::collections::BTreeMap;

/// Counts of (class of the image, class predicted); most pairs of many classes never
/// occur, so only those that do are held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion(BTreeMap<(usize, usize), u64>);

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
        *self.0.entry(pair).or_default() += 1;
    }

    /// Counts the images of `label` that were taken for `class`.
    pub fn count(&self, label: usize, class: usize) -> u64 {
        self.0.get(&(label, class)).copied().unwrap_or(0)
    }

    /// Counts the images of `label`.
    pub fn images(&self, label: usize) -> u64 {
        let row = self.0.range((label, 0)..=(label, usize::MAX));
        row.map(|(_, images)| images).sum()
    }

    /// Computes the share of the images of `label` classified rightly; nothing where there are
    /// none.
    pub fn accuracy(&self, label: usize) -> Option<f64> {
        let images = self.images(label);
        (images > 0).then(|| self.count(label, label) as f64 / images as f64)
    }

    /// Lists the mistakes, the most frequent first.
    pub fn mistakes(&self) -> Vec<Mistaken> {
        let wrong = self.0.iter().filter(|((label, class), _)| label != class);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_class() {
        let mut confusion = Confusion::default();
        for (label, class) in [(0, 0), (0, 1), (0, 1), (2, 0), (2, 2)] {
            confusion.add(&Prediction {
                label,
                class,
                loss: 0.0,
            });
        }
        assert_eq!(confusion.accuracy(0), Some(1.0 / 3.0));
        assert_eq!(confusion.accuracy(1), None);
        assert_eq!(confusion.images(2), 2);
        let mistakes = confusion.mistakes();
        assert_eq!(
            (mistakes[0].label, mistakes[0].class, mistakes[0].images),
            (0, 1, 2)
        );
        assert_eq!(mistakes.len(), 2);
    }
}
