//! Ranges among the values of an axis: `1..=4`, `linear(0..1, 5)`, `log(0.0001..1, 9)`.

/// Significant digits that spaced values are rounded to: the first of these that keeps them apart.
/// With the last of them they stay as they are.
const DIGITS: [usize; 4] = [6, 9, 12, 17];

/// Place of a value that is a share of the way from the first end to the last.
type Place = fn(first: f64, last: f64, share: f64) -> f64;

/// Spacings by the names they are written with.
const SPACINGS: [(&str, Place); 2] = [
    ("linear", |first, last, share| {
        first * (1.0 - share) + last * share
    }),
    ("log", |first, last, share| {
        (first.ln() * (1.0 - share) + last.ln() * share).exp()
    }),
];

/// Lists the values of the range that `text` is, `most` at most; nothing where it is none.
///
/// # Errors
/// Where the range has no values or too many, or an end that is no number for it.
pub(super) fn values(text: &str, most: usize) -> Result<Option<Vec<String>>, String> {
    for (name, place) in SPACINGS {
        let inside = text.strip_prefix(name).map(str::trim_start);
        let inside = inside.and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
        if let Some(inside) = inside.filter(|inside| inside.contains("..")) {
            return spaced(name, place, inside, most).map(Some);
        }
    }
    match text.split_once("..") {
        Some((first, last)) if first.trim().parse::<f64>().is_ok() => {
            counted(first.trim(), last, most).map(Some)
        }
        Some(_) | None => Ok(None),
    }
}

/// Lists the whole numbers of a range, the last end with them after `=`.
fn counted(first: &str, last: &str, most: usize) -> Result<Vec<String>, String> {
    let (is_closed, last) = match last.strip_prefix('=') {
        Some(last) => (true, last.trim()),
        None => (false, last.trim()),
    };
    let whole = |end: &str| {
        end.parse::<i64>().map_err(|_| {
            let wanted = "write how many values: linear(0.1..0.5, 5)";
            match end.parse::<f64>() {
                Ok(_) => format!("`{end}` is no whole number; between fractions {wanted}"),
                Err(_) => format!("`{end}` is no number"),
            }
        })
    };
    let (first, last) = (whole(first)?, whole(last)?);
    let count = i128::from(last) - i128::from(first) + i128::from(is_closed);
    match usize::try_from(count) {
        Ok(1..) if count <= most as i128 => {
            Ok((0..count as i64).map(|i| (first + i).to_string()).collect())
        }
        Ok(0) | Err(_) if count <= 0 => Err(format!(
            "the range from {first} to {last} is empty{}",
            match first == last {
                true => ": `..` leaves out its end, `..=` does not",
                false => "",
            }
        )),
        Ok(_) | Err(_) => Err(too_many(count, most)),
    }
}

/// Lists values from one end to the other, both with them, as `place` spaces them.
fn spaced(name: &str, place: Place, inside: &str, most: usize) -> Result<Vec<String>, String> {
    let form = format!("write it like {name}(0.001..1, 4), with how many values there are");
    let (range, count) = inside.rsplit_once(',').ok_or_else(|| form.clone())?;
    let (first, last) = range.split_once("..").ok_or(form)?;
    let end = |text: &str| match text.trim().parse::<f64>() {
        Ok(end) if end.is_finite() => Ok(end),
        Ok(_) | Err(_) => Err(format!("`{}` is no finite number", text.trim())),
    };
    let (first, last) = (end(first)?, end(last.strip_prefix('=').unwrap_or(last))?);
    if name == "log" && first.min(last) <= 0.0 {
        return Err(format!(
            "{} has no logarithm: both ends must be above 0",
            first.min(last)
        ));
    }
    if first == last {
        return Err(format!("both ends are {first}, so that the step is zero"));
    }
    if first > last {
        return Err(format!("the range from {first} to {last} is empty"));
    }
    let count: u64 = count
        .trim()
        .parse()
        .map_err(|_| format!("`{}` is no number of values", count.trim()))?;
    match usize::try_from(count) {
        Ok(0 | 1) => return Err(format!("{count} values cannot have both ends among them")),
        Ok(2..) if count <= most as u64 => {}
        Ok(_) | Err(_) => return Err(too_many(count.into(), most)),
    }
    let inner = (1..count - 1).map(|i| place(first, last, i as f64 / (count - 1) as f64));
    let exact: Vec<f64> = [first].into_iter().chain(inner).chain([last]).collect();
    let round = |digits: usize| -> Vec<f64> {
        let values = exact
            .iter()
            .map(|&value| match value == first || value == last {
                true => value,
                false => rounded(value, digits),
            });
        values.collect()
    };
    let grows = |values: &Vec<f64>| values.windows(2).all(|pair| pair[0] < pair[1]);
    let values = DIGITS.into_iter().map(round).find(grows);
    let values = values.ok_or_else(|| {
        format!("{first} and {last} are too close for {count} values between them")
    })?;
    Ok(values.into_iter().map(written).collect())
}

fn too_many(count: i128, most: usize) -> String {
    format!("{count} values are too many: a sweep has {most} runs at most")
}

fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits - 1).parse().unwrap_or(value)
}

/// Writes a number as a person would: `0.001`, `1e-9`.
fn written(value: f64) -> String {
    match value == 0.0 || (1e-6..1e16).contains(&value.abs()) {
        true => value.to_string(),
        false => format!("{value:e}"),
    }
}

#[cfg(test)]
mod tests {
    fn values(text: &str) -> Result<Option<Vec<String>>, String> {
        super::values(text, 100_000)
    }

    #[test]
    fn ranges_are_listed() {
        let list = |text: &str| values(text).unwrap().unwrap().join(" ");
        assert_eq!(list("1..=4"), "1 2 3 4");
        assert_eq!(list("1..4"), "1 2 3");
        assert_eq!(list("-1 ..= 1"), "-1 0 1");
        assert_eq!(
            list("9223372036854775807..=9223372036854775807"),
            "9223372036854775807"
        );
        assert_eq!(list("linear(0..1, 5)"), "0 0.25 0.5 0.75 1");
        assert_eq!(list("linear(1..=9, 5)"), "1 3 5 7 9");
        assert_eq!(list("linear(-1e308..1e308, 3)"), "-1e308 0 1e308");
        assert_eq!(
            list("log(0.0001..1, 9)"),
            "0.0001 0.000316228 0.001 0.00316228 0.01 0.0316228 0.1 0.316228 1"
        );
        assert_eq!(list("log(1..1000, 4)"), "1 10 100 1000");
        assert_eq!(list("log(1e-9..1e-7, 3)"), "1e-9 1e-8 1e-7");
        // Closer than six digits tell apart.
        assert_eq!(list("linear(1..1.0000002, 3)"), "1 1.0000001 1.0000002");
    }

    #[test]
    fn other_values_are_no_ranges() {
        for text in [
            "1",
            "0.1",
            "plain",
            "../a",
            "x..y",
            "log(3)",
            "linear(8)",
            "f(1..2)",
            "",
        ] {
            assert_eq!(values(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn ranges_of_nothing_or_too_much_are_refused() {
        for (text, part) in [
            ("4..=1", "from 4 to 1 is empty"),
            ("4..4", "`..` leaves out its end"),
            ("1..x", "`x` is no number"),
            ("1..", "`` is no number"),
            ("0.1..0.5", "linear(0.1..0.5, 5)"),
            ("nan..3", "no whole number"),
            ("0..=999999999999", "are too many"),
            ("-9223372036854775808..=9223372036854775807", "are too many"),
            ("log(0..1, 3)", "0 has no logarithm"),
            ("log(-1..1, 3)", "-1 has no logarithm"),
            ("log(NaN..1, 3)", "`NaN` is no finite number"),
            ("linear(0..inf, 3)", "`inf` is no finite number"),
            ("linear(1..1, 3)", "the step is zero"),
            ("linear(2..1, 3)", "is empty"),
            ("linear(0..1, 0)", "0 values cannot"),
            ("linear(0..1, 1)", "1 values cannot"),
            ("linear(0..1, 2.5)", "`2.5` is no number of values"),
            ("linear(0..1, 100001)", "are too many"),
            (
                "linear(0..1, 99999999999999999999)",
                "is no number of values",
            ),
            ("linear(0..1)", "write it like linear("),
            ("linear(0..5e-324, 5)", "too close"),
        ] {
            let error = values(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
