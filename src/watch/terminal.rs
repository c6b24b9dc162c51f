//! The terminal of `vanc watch`: it is kept up to date, and given back as it was.

use super::{screen, state};
use crate::error::{Error, Result};
use crate::train::snapshot::{Snapshot, State};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Shortest time between two reads of the run.
const LOOK: Duration = Duration::from_millis(500);
/// Reciprocal of the largest share of the time that may be spent on reading.
const SHARE: u32 = 20;
/// Longest time until a signal is noticed.
const BLINK: Duration = Duration::from_millis(200);

/// Reason why watching ended.
#[derive(Debug)]
pub enum Left {
    /// The run ended, in this state.
    Ended(Box<Snapshot>),
    /// A key was pressed.
    Key,
    /// A signal came, or Ctrl-C was pressed.
    Signal(i32),
}

/// Shows the run in `dir` until it ends or somebody leaves.
///
/// # Errors
///
/// When the run cannot be read ([`Snapshot::read`]), and when the terminal cannot be used.
pub fn watch(dir: &Path) -> Result<Left> {
    let first = state::read(dir)?;
    if has_ended(first.state) {
        return Ok(Left::Ended(Box::new(first)));
    }
    let signals = signals()?;
    let mut screen = Screen::open()?;
    let mut watched = first;
    loop {
        let began = Instant::now();
        screen.draw(&watched)?;
        let next = began + LOOK.max(began.elapsed() * SHARE);
        while Instant::now() < next {
            match signals.load(Ordering::SeqCst) {
                0 => {}
                signal => return Ok(Left::Signal(signal as i32)),
            }
            match key(BLINK.min(next.saturating_duration_since(Instant::now())))? {
                Pressed::Nothing => {}
                Pressed::Redraw => screen.draw(&watched)?,
                Pressed::Quit => return Ok(Left::Key),
                Pressed::Interrupt => return Ok(Left::Signal(INTERRUPT)),
            }
        }
        let began = Instant::now();
        watched = state::read(dir)?;
        if has_ended(watched.state) {
            return Ok(Left::Ended(Box::new(watched)));
        }
        // A log of millions of lines takes long to read.
        let pause = began.elapsed() * SHARE;
        if pause > LOOK {
            key(pause)?;
        }
    }
}

/// Number of SIGINT, which a terminal in raw mode gives as a key.
const INTERRUPT: i32 = 2;

fn has_ended(state: State) -> bool {
    match state {
        State::Waiting | State::Training => false,
        State::Finished | State::Stopped => true,
    }
}

/// The terminal in raw mode; dropping it restores the terminal.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> Result<Screen> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Screen(terminal)),
            Err(e) => {
                ratatui::restore();
                Err(failed(e))
            }
        }
    }

    fn draw(&mut self, watched: &Snapshot) -> Result<()> {
        let draw = |frame: &mut ratatui::Frame| {
            let area = frame.area();
            screen::draw(
                watched,
                "q leaves; the run goes on",
                area,
                frame.buffer_mut(),
            );
        };
        self.0.draw(draw).map(|_| ()).map_err(failed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.0.show_cursor();
        ratatui::restore();
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(format!("the terminal cannot be used: {error}"))
        .help("send the output through a pipe for one plain picture: vanc watch RUN | cat")
}

/// Key that was pressed, as far as it matters.
enum Pressed {
    Nothing,
    Redraw,
    Quit,
    Interrupt,
}

/// Waits for a key, `wait` at most.
fn key(wait: Duration) -> Result<Pressed> {
    if !event::poll(wait).map_err(failed)? {
        return Ok(Pressed::Nothing);
    }
    Ok(match event::read().map_err(failed)? {
        Event::Resize(..) => Pressed::Redraw,
        Event::Key(key) if key.kind == KeyEventKind::Release => Pressed::Nothing,
        Event::Key(key) => {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            if key.code == KeyCode::Char('c') && control {
                Pressed::Interrupt
            } else if matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                Pressed::Quit
            } else {
                Pressed::Nothing
            }
        }
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => {
            Pressed::Nothing
        }
    })
}

/// Registers signals that would end the process; each is written to the result instead.
#[cfg(unix)]
fn signals() -> Result<Arc<AtomicUsize>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let came = Arc::new(AtomicUsize::new(0));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register_usize(signal, came.clone(), signal as usize)
            .map_err(|e| Error::new(format!("cannot listen for signals: {e}")))?;
    }
    Ok(came)
}

/// Stands in where there are no Unix signals: none ever comes.
#[cfg(not(unix))]
fn signals() -> Result<Arc<AtomicUsize>> {
    Ok(Arc::default())
}
