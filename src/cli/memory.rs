//! How much memory a run may take.

use crate::engines::cpu::Cpu;
use crate::error::{Error, Result};
use crate::ir::Model;
use crate::plan::{Plan, Purpose, largest_batch};
use crate::train::options::EngineKind;

/// Suffixes of sizes, the longer before those they end in.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Reads `4GiB`, `500MB` or a number of bytes.
pub(super) fn parse(text: &str) -> Result<u64> {
    let found = UNITS.iter().find_map(|(suffix, unit)| {
        let number = text.strip_suffix(suffix)?;
        Some((number.trim_end(), *unit))
    });
    let (number, unit) = found.unwrap_or((text, 1));
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok((number * unit as f64) as u64),
        _ => Err(Error::new(format!("--memory {text}: this is no size"))
            .help("give one like 4GiB, 500MB or a number of bytes")),
    }
}

/// `bytes` with the unit that fits.
pub(super) fn shown(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => format!("{:.2} {unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} bytes"),
    }
}

/// Memory that the machine has left, where it says so.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The most memory that this process has taken so far.
pub(super) fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Bytes that training with `kind` is planned to take, where it is planned at all.
pub(super) fn planned(kind: EngineKind, model: &Model) -> Option<u64> {
    match kind {
        EngineKind::Cpu => {
            let plan = Plan::new(model, model.train.batch, Purpose::Training, &Cpu);
            Some(plan.peak_bytes() as u64)
        }
        EngineKind::Dfdx => None,
    }
}

/// Refuses a training that takes more than `limit`, or without one than the machine has.
pub(super) fn check(kind: EngineKind, model: &Model, limit: Option<u64>) -> Result<()> {
    let Some(needed) = planned(kind, model) else {
        return match limit {
            None => Ok(()),
            Some(_) => Err(Error::new(format!(
                "--memory: the engine {} does not know what it will take",
                kind.name()
            ))
            .help("leave --memory out, or give --engine cpu")),
        };
    };
    let (has, whose) = match (limit, available()) {
        (Some(limit), _) => (limit, "--memory allows"),
        (None, Some(available)) => (available, "the machine has"),
        (None, None) => return Ok(()),
    };
    if needed <= has {
        return Ok(());
    }
    let batch = model.train.batch;
    Err(Error::new(format!(
        "training with batch {batch} takes {}, and {whose} {}",
        shown(needed),
        shown(has)
    ))
    .help(match largest_batch(model, has, &Cpu) {
        Some(largest) => format!("the largest batch that fits is --batch {largest}"),
        None => "not even --batch 1 fits; make the network smaller".to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        assert_eq!(parse("4GiB").unwrap(), 4 << 30);
        assert_eq!(parse("1.5 MB").unwrap(), 1_500_000);
        assert_eq!(parse("4096").unwrap(), 4096);
        assert_eq!(parse("7B").unwrap(), 7);
        for wrong in ["", "GiB", "-1MB", "4Gib", "nan", "inf", "4 4"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(shown(3 << 29), "1.50 GiB");
        assert_eq!(shown(1000), "1000 bytes");
    }
}
