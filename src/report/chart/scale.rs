//! Axes: which numbers they span, where their ticks are, how those are written.

/// A straight map of numbers onto pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The numbers at the two ends.
    pub domain: [f64; 2],
    /// The pixels there.
    pub range: [f64; 2],
}

impl Scale {
    /// Computes the pixel of `value`.
    pub fn pixel(&self, value: f64) -> f64 {
        let [low, high] = self.domain;
        let [start, end] = self.range;
        start + (value - low) / (high - low) * (end - start)
    }
}

/// Finds the least and greatest of the finite `values`.
pub fn extent(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    values
        .filter(|value| value.is_finite())
        .fold(None, |extent, value| match extent {
            None => Some([value, value]),
            Some([low, high]) => Some([low.min(value), high.max(value)]),
        })
}

/// Makes an interval that can be drawn: a point is given room on both sides.
pub fn widened([low, high]: [f64; 2]) -> [f64; 2] {
    let room = match high.abs() * 0.05 {
        room if room > 0.0 => room,
        _ => 1.0,
    };
    match high - low > room * 1e-3 {
        true => [low, high],
        false => [low - room, high + room],
    }
}

/// Chooses the distance of ticks, 1, 2 or 5 times a power of ten, so that about `count` fit.
pub fn step([low, high]: [f64; 2], count: usize) -> f64 {
    let rough = (high - low) / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

/// Computes the interval of whole `step`s around `domain`.
pub fn rounded([low, high]: [f64; 2], step: f64) -> [f64; 2] {
    // What lies on a tick but for rounding stays there.
    let down = (low / step + 1e-9).floor() * step;
    let up = (high / step - 1e-9).ceil() * step;
    [down, up]
}

/// Lists the multiples of `step` within `domain`.
pub fn ticks([low, high]: [f64; 2], step: f64) -> Vec<f64> {
    let first = (low / step - 1e-6).ceil();
    let count = ((high / step + 1e-6).floor() - first).clamp(-1.0, 100.0) as i64;
    (0..=count)
        .map(|i| (first + i as f64) * step)
        // −0 is written 0.
        .map(|tick| if tick == 0.0 { 0.0 } else { tick })
        .collect()
}

/// Writes `value` with the decimals that ticks at a distance of `step` need. Its minus is an en
/// dash, as long and in every font.
pub fn label(value: f64, step: f64) -> String {
    if value != 0.0 && (value.abs() >= 1e6 || step < 1e-5) {
        return format!("{value:.1e}").replace('-', "–");
    }
    let decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$}").replace('-', "–")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        let domain = [0.0, 165.0];
        assert_eq!(step(domain, 5), 50.0);
        assert_eq!(ticks(domain, 50.0), [0.0, 50.0, 100.0, 150.0]);
        assert_eq!(step([0.93, 0.99], 4), 0.02);
        assert_eq!(rounded([0.93, 0.99], 0.02), [0.92, 1.0]);
        assert_eq!(ticks([-1.0, 0.0], 0.5), [-1.0, -0.5, 0.0]);
        // A tick in a place that rounding error has moved stays.
        assert_eq!(ticks([0.0, 0.3], 0.1).len(), 4);
    }

    #[test]
    fn labels_have_the_decimals_of_the_step() {
        assert_eq!(label(0.5, 0.25), "0.5");
        assert_eq!(label(50.0, 10.0), "50");
        assert_eq!(label(-0.25, 0.05), "–0.25");
        assert_eq!(label(2e7, 1e7), "2.0e7");
    }

    #[test]
    fn a_single_value_gets_room() {
        for value in [0.0, -3.0, 1e9, 1e-12] {
            let [low, high] = widened([value, value]);
            assert!(low < value && value < high, "{value}: {low} to {high}");
            assert!(step([low, high], 4) > 0.0);
        }
        assert_eq!(
            extent([f64::NAN, 2.0, f64::INFINITY].into_iter()),
            Some([2.0, 2.0])
        );
        assert_eq!(extent(std::iter::empty()), None);
    }
}
