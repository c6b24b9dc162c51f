//! Numbers formatted for people, text of a given width, and words quoted for a shell.

use crate::escape::{escaped, is_hidden};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use std::borrow::Cow;

/// Makes each lone CR of `text` an LF, so that its lines are those that editors show; every byte
/// stays where it is.
pub fn with_line_feeds(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let is_lone = |i: usize| bytes[i] == b'\r' && bytes.get(i + 1) != Some(&b'\n');
    if !(0..bytes.len()).any(is_lone) {
        return Cow::Borrowed(text);
    }
    let mut chars = text.chars().peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        let lone = c == '\r' && chars.peek() != Some(&'\n');
        out.push(if lone { '\n' } else { c });
    }
    Cow::Owned(out)
}

/// Formats `1234567` as `1,234,567`.
pub fn grouped(n: u128) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats `1234567` as `1.23 M`: three digits and the SI letter.
pub fn count(n: u128) -> String {
    let units = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    // 999,500 is rounded to 1.00 M, not to 1000 k.
    match units.iter().find(|(unit, _)| n as f64 >= 0.9995 * unit) {
        Some((unit, letter)) => {
            let x = n as f64 / unit;
            let digits = if x < 9.995 { 2 } else { usize::from(x < 99.95) };
            format!("{x:.digits$} {letter}")
        }
        None => n.to_string(),
    }
}

/// Formats `1234567` as `1.23 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        0..1000 => format!("{n} B"),
        n => format!("{}B", count(n.into())),
    }
}

/// Formats seconds as `6.2 s`, `1 min 12 s` or `2 h 03 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 if seconds < 59.95 => format!("{:.1} s", seconds.max(0.0)),
        0..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Formats `0.973` as `97.30 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Formats a number with four decimals, or with two digits if four decimals would not show
/// them.
pub fn decimal(x: f64) -> String {
    if x != 0.0 && x.abs() < 0.0005 || x.abs() >= 1e6 {
        format!("{x:.1e}")
    } else {
        format!("{x:.4}")
    }
}

/// Formats a number with four decimals in every case, for a column of a table.
pub fn four_decimals(x: f64) -> String {
    match x {
        x if x == 0.0 || x.abs() >= 0.0001 || x.is_nan() => format!("{x:.4}"),
        x if x > 0.0 => "< 0.0001".into(),
        _ => "> -0.0001".into(),
    }
}

/// Formats a learning rate with three digits and its power of ten: `1.00e-1`.
pub fn rate(x: f64) -> String {
    format!("{x:.2e}")
}

/// Counts things: `1 image`, `2 images`, `10000 images`.
pub fn counted(n: impl TryInto<u128>, noun: &str) -> String {
    let n = n.try_into().unwrap_or(u128::MAX);
    format!("{n} {}", plural(n, noun))
}

/// Returns the form of `noun` that stands after the number `n`: `class`, `classes`.
pub fn plural(n: impl TryInto<u128>, noun: &str) -> String {
    match n.try_into() {
        Ok(1) => noun.into(),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// Lists the first of `names`, at most `most`, and counts the others: `a, b and 3 more`.
pub fn listed(names: &[impl AsRef<str>], most: usize) -> String {
    let first: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(most) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Lists the first of `names` like [`listed`], each in backquotes.
pub fn listed_names(names: &[impl AsRef<str>], most: usize) -> String {
    let quoted = names
        .iter()
        .map(|name| format!("`{}`", escaped(name.as_ref())));
    listed(&quoted.collect::<Vec<_>>(), most)
}

/// Cuts `text` in the middle, where `…` stands for what is missing, so that it is at most `width`
/// columns wide and names with different ends differ.
pub fn cut_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.into();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    // Characters side by side may be wider than each is alone.
    (0..=room)
        .rev()
        .map(|room| {
            let start = prefix(text.chars(), room.div_ceil(2));
            let end = prefix(text.chars().rev(), room / 2);
            // No mark is put onto the `…`.
            let end = end.chars().rev().collect::<String>();
            let end = end.trim_start_matches(|c: char| c.width() == Some(0));
            format!("{start}…{end}")
        })
        .find(|cut| cut.width() <= width)
        .unwrap_or_default()
}

/// Takes the first characters that `room` columns hold.
fn prefix(chars: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(1);
        used <= room
    };
    chars.take_while(fits).collect()
}

/// Wraps `text` at blanks into lines of at most `room` columns; a wider word has a line of its
/// own. Line ends of `text` stay.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let fits = line.width() + 1 + word.width() <= room;
            if !line.is_empty() && !fits {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// Formats a number with at most six decimals and no trailing zeros: `0.1`, `0.00125`.
pub fn short(x: f64) -> String {
    if x != 0.0 && x.abs() < 1e-4 {
        return format!("{x:.2e}");
    }
    let text = format!("{x:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Draws values as a row of at most `width` bars that start from 0; the last value is always
/// there.
pub fn sparkline(values: &[f64], width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(0.0, f64::max);
    let shown = values.len().min(width);
    let index = |i: usize| (i + 1) * values.len() / shown - 1;
    let bar = |value: f64| {
        let height = value / most;
        // NaN, where all values are 0, is cast to 0.
        BARS[((height * BARS.len() as f64) as usize).min(BARS.len() - 1)]
    };
    (0..shown).map(|i| bar(values[index(i)])).collect()
}

/// Quotes `word` for people, so that a shell reads it back unchanged: a POSIX one, or where it has
/// hidden characters bash, ksh or zsh.
pub fn quote(word: &str) -> String {
    if !word.contains(is_hidden) {
        return quote_for_sh(word);
    }
    let mut out = "$'".to_string();
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if is_hidden(c) => {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                out.extend(bytes.map(|byte| format!("\\x{byte:02x}")));
            }
            c => out.push(c),
        }
    }
    out + "'"
}

/// Quotes `word` so that a POSIX shell reads it back unchanged.
pub fn quote_for_sh(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=+,:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Formats a time, in seconds since 1970, as `2026-01-31T12:00:00Z`.
pub fn utc(seconds: u64) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second % 3600 / 60, second % 60);
    format!(
        "{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        days + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_rounded() {
        let grouped: Vec<String> = [0, 999, 1000, 1234567].map(grouped).into();
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
        let counts = [
            0,
            999,
            1000,
            9_994,
            9_995,
            99_949,
            99_950,
            999_499,
            999_500,
            5 << 30,
        ];
        let shown = [
            "0", "999", "1.00 k", "9.99 k", "10.0 k", "99.9 k", "100 k", "999 k", "1.00 M",
            "5.37 G",
        ];
        assert_eq!(counts.map(count), shown);
        assert_eq!([999, 28_881].map(bytes), ["999 B", "28.9 kB"]);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(duration(6.21), "6.2 s");
        assert_eq!(duration(59.97), "1 min 00 s");
        assert_eq!(duration(72.0), "1 min 12 s");
        assert_eq!(duration(7380.0), "2 h 03 min");
        assert_eq!(decimal(0.00012), "1.2e-4");
        assert_eq!(decimal(1.23456), "1.2346");
        assert_eq!(short(0.1), "0.1");
        assert_eq!(short(3e-5), "3.00e-5");
    }

    #[test]
    fn a_column_has_one_form() {
        let numbers = [0.0, 1e-5, 0.0001, 0.00052, 12.5, -1e-9];
        let shown = [
            "0.0000",
            "< 0.0001",
            "0.0001",
            "0.0005",
            "12.5000",
            "> -0.0001",
        ];
        assert_eq!(numbers.map(four_decimals), shown);
        assert_eq!([0.1, 2.5e-5].map(rate), ["1.00e-1", "2.50e-5"]);
    }

    #[test]
    fn one_thing_has_no_s() {
        assert_eq!(counted(1u8, "image"), "1 image");
        assert_eq!(counted(0u8, "image"), "0 images");
        assert_eq!(counted(2u64, "class"), "2 classes");
    }

    #[test]
    fn names_are_cut_in_the_middle() {
        assert_eq!(cut_middle("stage1.0.conv0", 9), "stag…onv0");
        assert_eq!(cut_middle("stage1.0.conv0", 14), "stage1.0.conv0");
        assert_eq!(cut_middle("漢字漢字", 5), "漢…字");
        assert_eq!(cut_middle("abc", 1), "…");
        assert_eq!(cut_middle("abc", 0), "");
    }

    #[test]
    fn lines_are_wrapped_at_blanks() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a verylongword b", 5), ["a", "verylongword", "b"]);
        assert_eq!(wrap("one\n\ntwo", 80), ["one", "", "two"]);
    }

    #[test]
    fn times_are_dates() {
        // As `date -u --date=@…` has them.
        let times = [0, 951_782_400, 951_868_799, 1_735_689_599, 4_107_542_400];
        assert_eq!(
            times.map(utc),
            [
                "1970-01-01T00:00:00Z",
                "2000-02-29T00:00:00Z",
                "2000-02-29T23:59:59Z",
                "2024-12-31T23:59:59Z",
                "2100-03-01T00:00:00Z"
            ]
        );
    }

    #[test]
    fn sparklines_end_with_the_last_value() {
        assert_eq!(sparkline(&[0.0, 0.5, 1.0], 10), "▁▅█");
        assert_eq!(sparkline(&[0.0, 0.0], 10), "▁▁");
        assert_eq!(sparkline(&[], 10), "");
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        let line = sparkline(&many, 30);
        assert_eq!(line.chars().count(), 30);
        assert!(line.ends_with('█'));
    }

    #[test]
    fn words_with_hidden_characters_are_quoted_visibly() {
        assert_eq!(quote("a\u{1b}'b"), r"$'a\x1b\'b'");
        assert_eq!(quote("\u{202e}"), r"$'\xe2\x80\xae'");
        assert_eq!(quote("a b"), "'a b'");
    }

    #[test]
    fn the_first_of_many_names_are_listed() {
        assert_eq!(listed(&["a", "b", "c"], 3), "a, b, c");
        assert_eq!(
            listed_names(&["a", "b\n", "c"], 2),
            r"`a`, `b\n` and 1 more"
        );
    }
}
