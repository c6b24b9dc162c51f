//! Axes: which numbers they span, where their ticks are, how those are written.

/// A map of numbers onto pixels, straight or logarithmic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The numbers at the two ends.
    pub domain: [f64; 2],
    /// The pixels there.
    pub range: [f64; 2],
    /// Whether equal lengths are equal ratios; then both ends of the domain are positive.
    pub log: bool,
}

impl Scale {
    /// Computes the pixel of `value`.
    pub fn pixel(&self, value: f64) -> f64 {
        let [start, end] = self.range;
        let [low, high, value] = match (self.domain, self.log) {
            ([low, high], false) => [low, high, value],
            ([low, high], true) => [low, high, value.max(low)].map(f64::log10),
        };
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

/// Number up to which all are 0 on a logarithmic axis.
const SMALLEST: f64 = 1e-100;

/// Finds the round numbers, 1, 2 or 5 times a power of ten, around positive `values` that span
/// more than a decade; none if they do not. With zeros among them, the lower one is below all
/// others and stands for 0.
pub fn decades(values: impl Iterator<Item = f64> + Clone) -> Option<[f64; 2]> {
    let zero = has_zeros(values.clone());
    let [low, high] = extent(values.filter(|value| *value > SMALLEST))?;
    let round = |value: f64, up: bool| {
        let power = 10f64.powf(value.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let tight = value * 1e-9;
        match up {
            true => steps.into_iter().find(|step| *step >= value - tight),
            false => steps.into_iter().rfind(|step| *step <= value + tight),
        }
    };
    let least = if zero { low / 2.0 } else { low };
    match high / low > 10.0 && high < 1e100 {
        true => Some([round(least, false)?, round(high, true)?]),
        false => None,
    }
}

/// Whether there are values that a logarithmic axis draws at its lower end.
pub fn has_zeros(mut values: impl Iterator<Item = f64>) -> bool {
    values.any(|value| value <= SMALLEST)
}

/// Lists ticks of a logarithmic axis over `domain`, with their labels: the powers of ten, every
/// few of them where they are many, and 2 and 5 times each where they are few. With `zero`, the
/// lower end is labelled 0.
pub fn log_ticks([low, high]: [f64; 2], zero: bool) -> Vec<(f64, String)> {
    let first = (low.log10() + 1e-9).floor() as i32;
    let last = (high.log10() + 1e-9).floor() as i32;
    let stride = (last - first).max(0) / 6 + 1;
    let factors: &[f64] = match last - first {
        ..=2 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let label = |factor: f64, power: i32| match (-4..6).contains(&first) && last < 6 {
        true => format!(
            "{:.*}",
            (-power).max(0) as usize,
            factor * 10f64.powi(power)
        ),
        false => format!("{factor}e{power}").replace('-', "–"),
    };
    let ticks = (first..=last).filter(|power| power.rem_euclid(stride) == 0);
    let ticks = ticks.flat_map(|power| factors.iter().map(move |factor| (*factor, power)));
    let ticks = ticks.map(|(factor, power)| (factor * 10f64.powi(power), label(factor, power)));
    let ticks = ticks.filter(|(tick, _)| !zero || *tick > low * 1.5);
    let end = zero.then(|| (low, "0".to_string()));
    end.into_iter()
        .chain(ticks)
        .filter(|(tick, _)| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(tick))
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
    fn what_spans_more_than_a_decade_is_logarithmic() {
        assert_eq!(decades([0.3, 2.9].into_iter()), None);
        assert_eq!(decades([0.0, 0.3, 4.0].into_iter()), Some([0.1, 5.0]));
        assert_eq!(decades([0.3, 4.0].into_iter()), Some([0.2, 5.0]));
        let zero = log_ticks([0.1, 5.0], true);
        let zero: Vec<&str> = zero.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(zero, ["0", "0.2", "0.5", "1", "2", "5"]);
        assert_eq!(decades([-1.0, f64::NAN].into_iter()), None);
        let labels = |domain| log_ticks(domain, false).into_iter().map(|(_, label)| label);
        let labels = |domain| labels(domain).collect::<Vec<_>>();
        assert_eq!(labels([0.2, 5.0]), ["0.2", "0.5", "1", "2", "5"]);
        assert_eq!(labels([1e-3, 1.0]), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels([1e-12, 1.0]).len(), 5);
        assert_eq!(labels([1e-7, 1.0])[0], "1e–6");
        let scale = Scale {
            domain: [0.01, 100.0],
            range: [0.0, 8.0],
            log: true,
        };
        let pixels = [0.0, 0.01, 1.0, 100.0].map(|value| (scale.pixel(value) * 1e6).round());
        assert_eq!(pixels, [0.0, 0.0, 4e6, 8e6]);
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
