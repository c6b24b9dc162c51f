//! First words of a connection, the same in number for friends and strangers: both ends greet,
//! prove that they know the secret, and only then speak of ranks and settings.
//!
//! All of it is under one deadline. Nothing that the other end says of a length is believed
//! beyond what a rank needs to say.

use super::environment::World;
use super::secret::{End, Nonce, Proof, REFUSED, nonce};
use super::wire::{Frame, GREETING, Limits, Message};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Lengths of what a process may say before it has a seat: its rank, then its verdict.
const SHORT: Limits = Limits {
    text: 64 << 10,
    data: 0,
};

/// A connection that is given up at a moment, however little comes at a time.
pub struct Until<'a> {
    stream: &'a TcpStream,
    late: Instant,
}

impl<'a> Until<'a> {
    /// Gives `stream` this long from now.
    ///
    /// # Errors
    ///
    /// When the stream cannot be made to wait.
    pub fn new(stream: &'a TcpStream, limit: Duration) -> io::Result<Until<'a>> {
        stream.set_nonblocking(false)?;
        let late = Instant::now() + limit;
        Ok(Until { stream, late })
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.late.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(Some(left)),
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// When it is too late, or the connection is lost.
    pub fn send(&mut self, message: Message) -> io::Result<()> {
        let bytes = Frame::from(message).to_bytes()?;
        self.write_all(&bytes)
    }

    /// Receives a message of a process that has no seat yet.
    ///
    /// # Errors
    ///
    /// When it is too late, or too long, or the connection is lost.
    pub fn receive_short(&mut self) -> io::Result<Message> {
        Ok(Frame::receive_within(self, SHORT)?.message)
    }

    /// Receives a message of rank 0, which has proved that it is.
    ///
    /// # Errors
    ///
    /// When it is too late, or the connection is lost.
    pub fn receive(&mut self) -> io::Result<Message> {
        Ok(Frame::receive(self)?.message)
    }

    fn receive_bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Read for Until<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(to)
    }
}

impl Write for Until<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Whether the other end of a connection has proved what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// It knows the secret.
    Secret,
    /// It is a process of vanc, with another secret, or with none where there is one.
    Other,
    /// It speaks otherwise than this version of vanc does.
    Stranger,
}

/// Greets as rank 0 a process that has connected.
///
/// # Errors
///
/// When it is too late, or the connection is lost.
pub fn challenge(world: &World, stream: &mut Until) -> io::Result<Proved> {
    if stream.receive_bytes()? != GREETING {
        return Ok(Proved::Stranger);
    }
    let theirs: Nonce = stream.receive_bytes()?;
    let ours = nonce()?;
    stream.write_all(&[&GREETING[..], &ours].concat())?;
    let nonces = [&ours, &theirs];
    let proof: Proof = stream.receive_bytes()?;
    if !world.secret.accepts(&proof, End::Worker, nonces) {
        stream.write_all(&REFUSED)?;
        return Ok(Proved::Other);
    }
    stream.write_all(&world.secret.prove(End::Leader, nonces)?)?;
    Ok(Proved::Secret)
}

/// Begins to greet rank 0; returns this process's nonce and rank 0's, or none where what listens
/// is no rank 0.
///
/// # Errors
///
/// When it is too late, or the connection is lost.
pub fn greet(stream: &mut Until) -> io::Result<Option<(Nonce, Nonce)>> {
    let ours = nonce()?;
    stream.write_all(&[&GREETING[..], &ours].concat())?;
    if stream.receive_bytes()? != GREETING {
        return Ok(None);
    }
    Ok(Some((ours, stream.receive_bytes()?)))
}

/// Proves to rank 0 that this process knows the secret, and waits for its proof.
///
/// # Errors
///
/// When it is too late, or the connection is lost.
pub fn prove(
    world: &World,
    stream: &mut Until,
    (ours, theirs): &(Nonce, Nonce),
) -> io::Result<Proved> {
    let nonces = [theirs, ours];
    stream.write_all(&world.secret.prove(End::Worker, nonces)?)?;
    let proof: Proof = stream.receive_bytes()?;
    Ok(match world.secret.accepts(&proof, End::Leader, nonces) {
        true => Proved::Secret,
        false if proof == REFUSED => Proved::Other,
        false => Proved::Stranger,
    })
}
