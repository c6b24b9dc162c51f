//! Numbers as people read them, words as a shell does.

/// `1234567` as `1,234,567`.
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

/// `1234567` as `1.23 M`: three digits and the field's letter.
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

/// `1234567` as `1.23 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        0..1000 => format!("{n} B"),
        n => format!("{}B", count(n.into())),
    }
}

/// `word` as a POSIX shell reads it back.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=+,:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
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
}
