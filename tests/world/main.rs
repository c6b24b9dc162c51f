//! Tests of several processes that train one network: those that need no GPU, and whole runs
//! where there are two GPUs or the stand-ins of `tests/emulator`.

mod program;
mod ranks;

use vanc::engines::cuda::{self, Library};

/// Whether this machine can run several processes; says why if not.
fn can_run() -> bool {
    let found = match cuda::count() {
        // A card of the emulator serves any number of processes.
        Ok(cards) => cards > 1 || std::env::var_os("VANC_EMULATOR").is_some(),
        Err(_) => false,
    };
    let can = found && Library::Nccl.load().is_ok();
    if !can {
        eprintln!("runs of several processes are skipped: there are no two GPUs, or no NCCL");
    }
    can
}
