//! Ctrl-C and SIGTERM: the first asks the run to save and end, the second ends it.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// Number of SIGTERM.
const TERMINATE: i32 = 15;

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

    /// Listens for SIGINT and SIGTERM from here on. The first one sets the wish and
    /// writes `said` to standard error; after a second one the process ends at once with
    /// 128 + its number. SIGHUP keeps its meaning, so that `nohup` does.
    ///
    /// # Errors
    /// If the system takes no handler, or gives no thread to listen on.
    #[cfg(unix)]
    pub fn on_signals(&self, said: &'static str) -> Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let failed = |e: std::io::Error| Error::new(format!("cannot listen for signals: {e}"));
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
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
