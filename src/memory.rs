//! Memory of the machine, and the refusal of a batch that it cannot hold before it is
//! allocated.

mod limits;

use crate::error::{Error, Result};
use std::path::Path;

/// Returns the bytes that this process can still have, where the system says: see [`limits`].
pub fn available() -> Option<f64> {
    limits::free(&text).map(|free| free.bytes)
}

fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Returns the most bytes that this process has had at once, where the system says.
pub fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Units of sizes, the longer before those that they end in.
const UNITS: [(&str, f64); 9] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("B", 1.0),
];

/// Reads the value of `--memory`: `4GiB`, `500MB` or a number of bytes.
///
/// # Errors
/// If the text is no such size, or not above 0.
pub fn parse(text: &str) -> Result<u64> {
    parse_flag("memory", text)
}

/// Reads the size that the flag `flag` is given.
///
/// # Errors
/// If the text is no such size, or not above 0.
pub fn parse_flag(flag: &str, text: &str) -> Result<u64> {
    let found = UNITS.iter().find_map(|(suffix, unit)| {
        let number = text.strip_suffix(suffix)?;
        Some((number.trim_end(), *unit))
    });
    let (number, unit) = found.unwrap_or((text, 1.0));
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok((number * unit) as u64),
        _ => Err(Error::new(format!("--{flag} {text}: this is no size"))
            .help("give one like 4GiB, 500MB or a number of bytes")),
    }
}

/// Refuses a `batch` whose steps take more bytes by `needed`, which grows with the
/// batch, than the `limit` or, without one, than are free; with the largest batch that
/// does not.
///
/// # Errors
/// If the batch takes too much, or what `needed` returns.
pub fn check(
    needed: &dyn Fn(usize) -> Result<f64>,
    batch: usize,
    limit: Option<u64>,
) -> Result<()> {
    let (most, whose) = match limit {
        Some(limit) => (limit as f64, "allowed"),
        None => match limits::free(&text) {
            Some(free) => (free.bytes, free.whose),
            None => return Ok(()),
        },
    };
    let wanted = needed(batch)?;
    if wanted <= most {
        return Ok(());
    }
    let error = Error::new(format!(
        "a step takes about {} of memory with a batch of {batch}, and {} are {whose}",
        gibibytes(wanted),
        gibibytes(most)
    ));
    // The first of these fits, the second does not.
    let (mut fits, mut too_large) = (0, batch);
    while too_large - fits > 1 {
        let middle = fits + (too_large - fits) / 2;
        if needed(middle)? <= most {
            fits = middle;
        } else {
            too_large = middle;
        }
    }
    Err(match fits {
        0 => error.help("make the network smaller: not even one image fits"),
        largest => error.help(format!("give --batch {largest} or less")),
    })
}

/// Writes `bytes` for people.
pub fn gibibytes(bytes: f64) -> String {
    match bytes {
        b if b < 107_374_182.4 => format!("{:.1} MiB", b / f64::from(1 << 20)),
        b => format!("{:.1} GiB", b / f64::from(1 << 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: f64 = 1_073_741_824.0;

    #[test]
    fn the_largest_batch_that_fits_is_named() {
        let needed = |images: usize| Ok(GIB + images as f64 * GIB / 4.0);
        assert!(check(&needed, 12, Some(4 << 30)).is_ok());
        let error = check(&needed, 13, Some(4 << 30)).unwrap_err();
        assert!(error.message.contains("4.2 GiB"), "{error}");
        assert!(error.message.contains("4.0 GiB"), "{error}");
        assert_eq!(error.help.as_deref(), Some("give --batch 12 or less"));
    }

    #[test]
    fn a_network_that_never_fits_is_refused() {
        let needed = |images: usize| Ok(8.0 * GIB + images as f64);
        let error = check(&needed, 1, Some(1 << 30)).unwrap_err();
        assert!(error.help.unwrap().contains("smaller"));
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse("4GiB").unwrap(), 4 << 30);
        assert_eq!(parse("1.5 MB").unwrap(), 1_500_000);
        assert_eq!(parse("4096").unwrap(), 4096);
        assert_eq!(parse("7B").unwrap(), 7);
        for wrong in ["", "GiB", "-1MB", "4Gib", "nan", "inf", "4 4"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
