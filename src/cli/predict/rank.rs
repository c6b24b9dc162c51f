//! The most probable classes of an image.

use std::cmp::Ordering;

/// Lists the classes of the `top` largest logits, the first of equals before the others, with
/// their probabilities by softmax; nothing where a logit is no finite number.
pub(super) fn rank(logits: &[f32], top: usize) -> Option<Vec<(usize, f64)>> {
    if !logits.iter().all(|x| x.is_finite()) {
        return None;
    }
    // They are finite, and −0 is 0.
    let larger = |a: f32, b: f32| a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    classes.sort_by(|&a, &b| larger(logits[b], logits[a]).then(a.cmp(&b)));
    let largest = classes
        .first()
        .map_or(0.0, |&class| f64::from(logits[class]));
    let power = |class: usize| (f64::from(logits[class]) - largest).exp();
    let sum: f64 = (0..logits.len()).map(power).sum();
    let ranks = classes.into_iter().take(top);
    Some(ranks.map(|class| (class, power(class) / sum)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_logits_come_first() {
        let ranks = rank(&[0.0, 2f32.ln(), -1e30, 2f32.ln()], 3).unwrap();
        let classes: Vec<usize> = ranks.iter().map(|(class, _)| *class).collect();
        assert_eq!(classes, [1, 3, 0]);
        for (found, wanted) in ranks.iter().map(|(_, p)| p).zip([0.4, 0.4, 0.2]) {
            assert!((found - wanted).abs() < 1e-7, "{ranks:?}");
        }
        // −0 and 0 are equals.
        assert_eq!(rank(&[-0.0, 0.0], 1).unwrap()[0].0, 0);
        assert!(rank(&[0.0, f32::NAN], 1).is_none());
        assert!(rank(&[0.0, f32::INFINITY], 1).is_none());
    }
}
