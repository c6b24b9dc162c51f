//! Colours and markers: eight that colour-blind readers tell apart, and the same ones
//! for a policy in every figure.

/// Look of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Colour, written as in SVG: `#0072B2`.
    pub color: String,
    /// Marker drawn at points.
    pub marker: Option<Marker>,
    /// SVG's `stroke-dasharray`, empty for a line without gaps.
    pub dash: &'static str,
    /// Width of the line in pixels.
    pub width: f64,
}

/// A mark at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// ●
    Circle,
    /// ■
    Square,
    /// ▲
    Up,
    /// ▼
    Down,
    /// ◆
    Diamond,
    /// ✚
    Plus,
}

/// The colour of text, which a dark page replaces by a light one.
pub const BLACK: &str = "#000000";
const ORANGE: &str = "#E69F00";
const SKY: &str = "#56B4E9";
const GREEN: &str = "#009E73";
const BLUE: &str = "#0072B2";
const VERMILION: &str = "#D55E00";
const PURPLE: &str = "#CC79A7";

/// Seven of Okabe and Ito's eight colours: those that show on white.
const CYCLE: [(&str, Marker); 7] = [
    (BLUE, Marker::Down),
    (ORANGE, Marker::Square),
    (GREEN, Marker::Up),
    (PURPLE, Marker::Diamond),
    (SKY, Marker::Plus),
    (VERMILION, Marker::Circle),
    (BLACK, Marker::Circle),
];

/// Dashes of the second, third, … time around.
const DASHES: [&str; 3] = ["", "6 3", "2 3"];

impl Look {
    /// Makes the look of a line of `color`.
    pub fn new(color: &str) -> Self {
        Look {
            color: color.to_string(),
            marker: None,
            dash: "",
            width: 1.8,
        }
    }

    /// Makes the look of the line called `name`, the `index`th of its figure. A policy looks the
    /// same wherever it is, another name by its index.
    pub fn named(name: &str, index: usize) -> Self {
        let name: String = name.split_whitespace().collect();
        let base = name.split('(').next().unwrap_or_default();
        let (color, marker) = match (base, name.as_str()) {
            ("plain", _) => (BLACK, Marker::Circle),
            ("resnet", _) => (ORANGE, Marker::Square),
            ("highway", _) => (GREEN, Marker::Up),
            ("dirac", _) => (PURPLE, Marker::Diamond),
            (_, "variable(lambda:0)" | "variable(lambda:0.0)") => (SKY, Marker::Plus),
            (_, "variable(form:convex)") => (VERMILION, Marker::Circle),
            ("variable", _) => (BLUE, Marker::Down),
            _ => CYCLE[index % CYCLE.len()],
        };
        let known = ["plain", "resnet", "highway", "dirac", "variable"].contains(&base);
        let dash = match known {
            // A variant has the colour of its policy.
            true if name != base && [ORANGE, BLUE, GREEN].contains(&color) => DASHES[1],
            true => DASHES[0],
            false => DASHES[index / CYCLE.len() % DASHES.len()],
        };
        Look {
            marker: Some(marker),
            dash,
            ..Look::new(color)
        }
    }

    /// Makes the look of the `index`th of `count` lines in an order: from blue to orange.
    pub fn ranked(index: usize, count: usize) -> Self {
        let share = index as f64 / count.saturating_sub(1).max(1) as f64;
        let mix = |from: u8, to: u8| {
            let value = f64::from(from) + share * (f64::from(to) - f64::from(from));
            value.round() as u8
        };
        // Their brightness differs too, and passes by no colour of a policy.
        let color = format!(
            "#{:02X}{:02X}{:02X}",
            mix(0, 230),
            mix(90, 159),
            mix(178, 0)
        );
        Look {
            // Where lines lie on each other, the lower ones show at both sides.
            width: 1.5 + 2.5 * (1.0 - share),
            ..Look::new(&color)
        }
    }

    /// Replaces the dashes.
    pub fn dashed(self, dash: &'static str) -> Self {
        Look { dash, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_differ_and_keep_their_look() {
        let policies = [
            "plain",
            "resnet",
            "resnet(scale: 0.5)",
            "highway",
            "dirac",
            "variable",
            "variable(lambda: 0)",
            "variable(form: convex)",
        ];
        let looks: Vec<Look> = policies.iter().map(|name| Look::named(name, 0)).collect();
        for (i, a) in looks.iter().enumerate() {
            for b in &looks[..i] {
                assert!(a.color != b.color || a.dash != b.dash, "{a:?} {b:?}");
            }
            assert_eq!(*a, Look::named(policies[i], 5));
        }
        assert_eq!(
            Look::named("variable(lambda:0)", 0),
            Look::named("variable(lambda: 0)", 0)
        );
        assert_ne!(Look::named("16", 0), Look::named("32", 1));
        assert_ne!(Look::named("16", 0), Look::named("32", 7));
    }

    #[test]
    fn ranks_go_from_blue_to_orange() {
        assert_eq!(Look::ranked(0, 1).color, "#005AB2");
        assert_eq!(Look::ranked(4, 5).color, "#E69F00");
    }
}
