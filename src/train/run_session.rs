//! A session of a run, from its start or a resume to its end: when it began, and on what.

use crate::text::utc;
use serde::Serialize;
use std::time::SystemTime;

/// Entry of `config.json` that is written when a run starts and each time it is resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunSession {
    /// Time it began, as `2026-01-31T12:00:00Z`.
    time: String,
    /// Steps of the run that were done by then.
    step: u64,
    /// Epochs that the run was to take.
    epochs: u64,
    /// Version of vanc.
    version: &'static str,
    /// Commit that vanc was built from, where the build was told: `VANC_COMMIT`.
    commit: Option<&'static str>,
    /// Name of the machine.
    host: Option<String>,
    /// Model of its processor, else its architecture.
    processor: String,
    /// Engine, with its device, as it calls itself. Not to be mistaken for `--engine`, which is a
    /// choice and may be `auto`.
    engine: String,
}

impl RunSession {
    /// Makes the entry of a session that begins now, on this machine, at step `step`.
    pub fn now(step: u64, epochs: u64, engine: String) -> RunSession {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        RunSession {
            time: utc(now.unwrap_or_default().as_secs()),
            step,
            epochs,
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("VANC_COMMIT"),
            host: host(),
            processor: processor(),
            engine,
        }
    }
}

/// Finds the name of the machine.
#[cfg(unix)]
fn host() -> Option<String> {
    let mut name = [0u8; 256];
    // SAFETY: the call writes at most as many bytes as it is told that there are.
    let told = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let name = name.split(|&byte| byte == 0).next()?;
    (told == 0 && !name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
}

#[cfg(not(unix))]
fn host() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

/// Finds the model of the processor where the system tells, else the architecture.
fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| Some(line.split_once(':')?.1.trim().to_string()));
    model.unwrap_or_else(|| std::env::consts::ARCH.into())
}
