//! Mean and standard deviation.

/// Spread of several values of one quantity, such as those of runs that differ in their seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Number of values, at least one.
    pub count: usize,
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation √(Σ(x − mean)² / (count − 1)); none for a single value.
    pub deviation: Option<f64>,
}

impl Spread {
    /// Computes the spread of the finite `values`; none if there are no such values.
    pub fn from_values(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let values: Vec<f64> = values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect();
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Some(Spread {
            count,
            mean,
            deviation,
        })
    }

    /// Computes the interval of one standard deviation to both sides of the mean, within the
    /// limits.
    pub fn band(&self, [least, most]: [f64; 2]) -> Option<[f64; 2]> {
        let deviation = self.deviation?;
        Some([
            (self.mean - deviation).max(least),
            (self.mean + deviation).min(most),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let spread = Spread::from_values([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("values");
        assert_eq!((spread.count, spread.mean), (8, 5.0));
        let deviation = spread.deviation.expect("several values");
        assert!((deviation - (32.0f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(spread.band([0.0, 6.0]).map(|band| band[1]), Some(6.0));
    }

    #[test]
    fn one_value_has_no_deviation() {
        let spread = Spread::from_values([3.0, f64::NAN]).expect("a value");
        assert_eq!((spread.count, spread.deviation), (1, None));
        assert_eq!(Spread::from_values([]), None);
    }
}
