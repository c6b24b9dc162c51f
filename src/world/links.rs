//! Connections between rank 0 and the other ranks, for as long as a run lasts.
//!
//! Each end sends a beat every second. An end that hears nothing for [`SILENCE`] twice, or
//! finds the connection closed before the run has ended, ends its process: its GPU would
//! wait for ever for a sum with the lost rank. A run folder is complete at any moment, so
//! only the steps since the last checkpoint are lost.

use super::environment::World;
use super::wire::{Frame, Message, OF_LEADER, OF_WORKER, Patient, SILENCE, is_late};
use crate::error::{Error, Result};
use crate::stop::Stop;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time between two beats.
const BEAT: Duration = Duration::from_secs(1);

/// Time that the other ranks have to close their connections once the run has ended.
const PARTING: Duration = Duration::from_secs(10);

/// A connection to another rank.
struct Link {
    /// Rank of the other end.
    rank: usize,
    /// Stream to write to; the lock is held for a whole frame.
    stream: Mutex<TcpStream>,
}

/// State shared with the threads that listen and send beats.
struct Shared {
    world: World,
    links: Vec<Link>,
    /// Whether the run has ended, so that other ranks may close their connections.
    ended: AtomicBool,
}

/// The connections of a process: those of rank 0 to all others, or the one of another rank to
/// rank 0.
pub struct Links {
    shared: Arc<Shared>,
    /// Messages received, by link.
    heard: Vec<Receiver<Frame>>,
}

impl Links {
    /// Keeps the connections to these ranks alive from now on. A signal that reaches the
    /// process at the other end is passed on to `stop`.
    ///
    /// # Errors
    ///
    /// When a stream cannot be configured or a thread cannot be started.
    pub fn new(world: &World, streams: Vec<(usize, TcpStream)>, stop: &Stop) -> Result<Links> {
        let failed = |e: io::Error| Error::new(format!("the processes cannot be joined: {e}"));
        let mut ears = Vec::new();
        let mut links = Vec::new();
        for (rank, stream) in streams {
            stream.set_nodelay(true).map_err(failed)?;
            stream.set_read_timeout(Some(SILENCE)).map_err(failed)?;
            stream.set_write_timeout(Some(SILENCE)).map_err(failed)?;
            ears.push(stream.try_clone().map_err(failed)?);
            let stream = Mutex::new(stream);
            links.push(Link { rank, stream });
        }
        let shared = Arc::new(Shared {
            world: world.clone(),
            links,
            ended: AtomicBool::new(false),
        });
        let mut heard = Vec::new();
        for (index, ear) in ears.into_iter().enumerate() {
            let (sender, receiver) = channel();
            heard.push(receiver);
            let (shared, stop) = (shared.clone(), stop.clone());
            let listen = move || {
                while let Some(frame) = shared.hear(index, &ear, &stop) {
                    if sender.send(frame).is_err() {
                        break;
                    }
                }
            };
            start("link", listen).map_err(failed)?;
        }
        let (beating, stop) = (shared.clone(), stop.clone());
        start("beat", move || beating.beat(&stop)).map_err(failed)?;
        Ok(Links { shared, heard })
    }

    /// The place of this process among the others.
    pub fn world(&self) -> &World {
        &self.shared.world
    }

    /// Sends a message to every other end.
    ///
    /// # Errors
    ///
    /// When a connection is lost.
    pub fn send(&self, frame: &Frame) -> Result<()> {
        let bytes = frame
            .to_bytes()
            .map_err(|e| Error::new(format!("a message cannot be sent: {e}")))?;
        for link in &self.shared.links {
            link.write(&bytes)
                .map_err(|e| lost(link.rank, &e.to_string()))?;
        }
        Ok(())
    }

    /// Waits for the next message of every other end.
    ///
    /// # Errors
    ///
    /// When a connection is closed.
    pub fn receive(&self) -> Result<Vec<Frame>> {
        let each = self.shared.links.iter().zip(&self.heard);
        each.map(|(link, heard)| heard.recv().map_err(|_| lost(link.rank, "it has closed")))
            .collect()
    }

    /// Passes `outcome` on; an error is prefixed with this rank and sent to the other ends,
    /// which then end too.
    ///
    /// # Errors
    ///
    /// When `outcome` is an error.
    pub fn telling<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.map_err(|error| {
            let error = self.world().with_rank(error);
            let why = error.message.clone();
            self.shared.ended.store(true, Ordering::SeqCst);
            // One that does not hear of it finds the connection closed.
            let _ = self.send(&Message::Failed { why }.into());
            error
        })
    }

    /// Whether the run has ended.
    pub fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::SeqCst)
    }

    /// Tells the other ranks that the run has ended, perhaps by a signal, and waits some
    /// seconds for each to close its connection. Rank 0 calls it.
    pub fn end(&self, signal: Option<i32>) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // One that does not hear of it any more has ended by itself.
        let _ = self.send(&Message::End { signal }.into());
        for link in &self.shared.links {
            if let Ok(stream) = link.stream.lock() {
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
        for heard in &self.heard {
            while heard.recv_timeout(PARTING).is_ok() {}
        }
    }
}

impl Link {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let Ok(mut stream) = self.stream.lock() else {
            return Err(io::Error::other("a thread of it has failed"));
        };
        stream.write_all(bytes)
    }
}

impl Shared {
    /// Waits for the next message that is no beat. None once the run has ended.
    fn hear(&self, index: usize, ear: &TcpStream, stop: &Stop) -> Option<Frame> {
        let rank = self.links.get(index)?.rank;
        let limits = if rank == 0 { OF_LEADER } else { OF_WORKER };
        loop {
            let frame = match Frame::receive_within(&mut Patient(ear), limits) {
                Ok(frame) => frame,
                Err(_) if self.ended.load(Ordering::SeqCst) => return None,
                Err(error) => self.leave(&self.world.with_rank(lost(rank, &reason(&error)))),
            };
            if let Message::Failed { why } = &frame.message {
                self.leave(&Error::new(why.clone()));
            }
            let Message::Beat { signal } = &frame.message else {
                let ends = matches!(frame.message, Message::End { .. });
                self.ended.fetch_or(ends, Ordering::SeqCst);
                return Some(frame);
            };
            if let (Some(signal), None) = (signal, stop.requested()) {
                stop.request(*signal);
            }
        }
    }

    fn beat(&self, stop: &Stop) {
        while !self.ended.load(Ordering::SeqCst) {
            let signal = stop.requested();
            let beat = Frame::from(Message::Beat { signal });
            let Ok(bytes) = beat.to_bytes() else { return };
            for link in &self.links {
                // One that is gone is missed where it is listened to.
                let _ = link.write(&bytes);
            }
            std::thread::sleep(BEAT);
        }
    }

    /// Prints the error and ends the process at once, since its main thread may wait for
    /// ever.
    fn leave(&self, error: &Error) -> ! {
        let help = match &error.help {
            Some(help) => format!("\n  help: {help}"),
            None => String::new(),
        };
        // Rank 0 may have a line under way.
        let first = if self.world.rank == 0 { "\n" } else { "" };
        let text = format!("{first}error: {}{help}\n", error.message);
        let _ = io::stderr().write_all(text.as_bytes());
        #[cfg(unix)]
        signal_hook::low_level::exit(1);
        #[cfg(not(unix))]
        std::process::exit(1);
    }
}

fn lost(rank: usize, why: &str) -> Error {
    let more = match rank {
        0 => "see what rank 0 has said",
        _ => "see what it has said; `--resume` goes on from the last checkpoint",
    };
    Error::new(format!("rank {rank} is lost: {why}")).help(more)
}

fn reason(error: &io::Error) -> String {
    match error.kind() == io::ErrorKind::UnexpectedEof {
        true => "it has ended before the run did".into(),
        false if is_late(error) => "nothing is heard of it any more".into(),
        false => error.to_string(),
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map(|_| ())
}
