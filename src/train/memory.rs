//! Refusing what the machine's memory cannot hold, before it is allocated.

use crate::error::{Error, Result};

/// Bytes that programs can still have, where the system says.
pub fn available() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Refuses a `batch` whose steps take more bytes by `needed` than are `available`,
/// with the largest batch that does not.
pub fn check(needed: &dyn Fn(usize) -> f64, batch: usize, available: f64) -> Result<()> {
    let wanted = needed(batch);
    if wanted <= available {
        return Ok(());
    }
    let error = Error::new(format!(
        "a step takes about {} of memory with a batch of {batch}, and {} are free",
        gibibytes(wanted),
        gibibytes(available)
    ));
    // What is needed grows linearly with the batch.
    let (none, one) = (needed(0), needed(1));
    let largest = ((available - none) / (one - none)).floor();
    Err(match largest >= 1.0 {
        true => error.help(format!("give --batch {largest} or less")),
        false => error.help("make the network smaller: not even one image fits"),
    })
}

fn gibibytes(bytes: f64) -> String {
    format!("{:.1} GiB", bytes / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: f64 = 1_073_741_824.0;

    #[test]
    fn the_largest_batch_that_fits_is_named() {
        let needed = |images: usize| GIB + images as f64 * GIB / 4.0;
        assert!(check(&needed, 12, 4.0 * GIB).is_ok());
        let error = check(&needed, 13, 4.0 * GIB).unwrap_err();
        assert!(error.message.contains("4.2 GiB"), "{error}");
        assert!(error.message.contains("4.0 GiB"), "{error}");
        assert_eq!(error.help.as_deref(), Some("give --batch 12 or less"));
    }

    #[test]
    fn a_network_that_never_fits_is_refused() {
        let needed = |images: usize| 8.0 * GIB + images as f64;
        let error = check(&needed, 1, GIB).unwrap_err();
        assert!(error.help.unwrap().contains("smaller"));
    }
}
