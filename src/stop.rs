//! Ctrl-C, SIGTERM and the like: the first asks the run to save and end, the second ends it.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// Number of SIGTERM.
const TERMINATE: i32 = 15;

/// Signals that ask to stop, whatever a parent has set: SIGINT and SIGTERM.
const ALWAYS: [i32; 2] = [2, TERMINATE];

/// Signals that ask to stop unless they are ignored, as SIGHUP is under `nohup`: those of a lost
/// terminal, of a limit on processor time, and of batch systems before a limit.
#[cfg(unix)]
const UNLESS_IGNORED: [i32; 3] = [libc::SIGHUP, libc::SIGXCPU, libc::SIGUSR1];
#[cfg(not(unix))]
const UNLESS_IGNORED: [i32; 0] = [];

/// Wish to stop that the loop looks at after every step.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicI32>);

impl Stop {
    /// Asks for the stop, as signal number `signal` would.
    pub fn request(&self, signal: i32) {
        self.0.store(signal, Ordering::SeqCst);
    }

    /// Returns the signal that asked for the stop, if one did.
    pub fn requested(&self) -> Option<i32> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }

    /// Listens for SIGINT, SIGTERM, SIGHUP, SIGXCPU and SIGUSR1 from here on. The first one sets
    /// the wish and writes `said` to standard error; after a second one the process ends at once
    /// with 128 + its number. Of the last three, one that is ignored, as under `nohup`, stays so.
    /// A file beyond the limit on its size (SIGXFSZ) becomes an error of the write.
    ///
    /// # Errors
    /// If the system takes no handler, or gives no thread to listen on.
    #[cfg(unix)]
    pub fn on_signals(&self, said: &'static str) -> Result<()> {
        let failed = |e: std::io::Error| Error::new(format!("cannot listen for signals: {e}"));
        signal_hook::flag::register(libc::SIGXFSZ, Arc::default()).map_err(failed)?;
        let others = UNLESS_IGNORED
            .into_iter()
            .filter(|&signal| !is_ignored(signal));
        let heard = ALWAYS.into_iter().chain(others);
        let mut signals = signal_hook::iterator::Signals::new(heard).map_err(failed)?;
        let wish = self.clone();
        let listen = move || {
            for signal in signals.forever() {
                if wish.requested().is_some() {
                    signal_hook::low_level::exit(128 + signal);
                }
                wish.request(signal);
                let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
            }
        };
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(listen)
            .map_err(failed)?;
        Ok(())
    }

    /// Listens for nothing: there are no Unix signals here.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn on_signals(&self, _: &'static str) -> Result<()> {
        Ok(())
    }

    /// Asks for the stop, as SIGTERM would, when standard input ends: whoever holds its
    /// other end has closed it, or is no more, however it ended.
    ///
    /// # Errors
    /// If the system gives no thread to wait on.
    pub fn when_input_ends(&self) -> Result<()> {
        let wish = self.clone();
        let listen = move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            if wish.requested().is_none() {
                wish.request(TERMINATE);
            }
        };
        std::thread::Builder::new()
            .name("input".into())
            .spawn(listen)
            .map_err(|e| Error::new(format!("cannot wait for the end of the input: {e}")))?;
        Ok(())
    }
}

/// Whether `signal` is one of those that [`Stop::on_signals`] listens for, by its number.
pub fn asks_to_stop(signal: i32) -> bool {
    ALWAYS.contains(&signal) || UNLESS_IGNORED.contains(&signal)
}

/// Whether the process was started with `signal` ignored, as `nohup` does with SIGHUP.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call changes nothing, and `action` has room for the old.
    let told = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: a call that gives 0 has filled it in.
    told == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}
