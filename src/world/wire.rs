//! What the processes of a world say to one another: messages over TCP.
//!
//! A message is the length of a text (4 bytes, little-endian), that of what comes with it
//! (8 bytes), the text (JSON) and what comes with it (numbers as they are in memory).

use crate::ir::Augment;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a connection begins with: who is there, and in which version.
pub const GREETING: [u8; 8] = *b"vanc\0w\0\x01";

/// The longest text; a file and its settings are far shorter.
const LONGEST: usize = 64 << 20;

/// How long one that has to answer may say nothing at all, twice over: a process that was
/// stopped for a while finds its own time gone by, but not that of the other.
pub const SILENCE: Duration = Duration::from_secs(30);

/// What is said. Rank 0 says most of it: it leads, and the others do what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// To rank 0, at first: who comes.
    Join {
        /// Of the program.
        version: String,
        /// As in the environment.
        rank: usize,
        /// As in the environment.
        size: usize,
    },
    /// From rank 0: what it trains, for the others to compare.
    Settings {
        /// Its `config.json`.
        config: String,
        /// Its `.van` file.
        source: String,
    },
    /// To rank 0: it is the same here.
    Agreed,
    /// Both ways, every second: alive, and whether a signal (by its number) asks to stop.
    Beat {
        /// The signal.
        signal: Option<i32>,
    },
    /// Both ways: why the sender ends.
    Failed {
        /// The error.
        why: String,
    },
    /// From rank 0: make an engine with the tensors that come with this.
    Begin {
        /// NCCL's name of the group.
        id: Vec<u8>,
        /// Which tensors.
        tensors: Vec<Outline>,
    },
    /// From rank 0: the engine's state is what comes with this.
    Load {
        /// Which tensors.
        tensors: Vec<Outline>,
    },
    /// From rank 0: keep the images that come with this on the device: labels, mean and
    /// deviation of the channels, pixels.
    MakeResident(ImagesOutline),
    /// To rank 0: whether there was room.
    Resident(bool),
    /// From rank 0: an epoch, whose order of so many images, then changes, come with this.
    Epoch {
        /// How many.
        images: usize,
    },
    /// From rank 0: a step on resident images.
    Queue {
        /// The batch in the epoch.
        index: usize,
        /// When.
        at: At,
    },
    /// From rank 0: wait for the steps so far.
    Outcomes,
    /// From rank 0: a step on the labels, then images, that come with this.
    Step {
        /// How many.
        images: usize,
        /// When.
        at: At,
    },
    /// From rank 0: the constraint's part at the end of an epoch.
    EndEpoch {
        /// Learning rate.
        rate: f64,
    },
    /// From rank 0: the run has ended in order, or by a signal.
    End {
        /// The signal.
        signal: Option<i32>,
    },
}

/// [`crate::engines::StepContext`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct At {
    /// Learning rate.
    pub rate: f64,
    /// Of the run.
    pub seed: u64,
    /// Since training began.
    pub step: u64,
}

/// A tensor without its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// [`crate::engines::Images`] without its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImagesOutline {
    /// Images.
    pub count: usize,
    /// In a step.
    pub batch: usize,
    /// Changes of each image.
    pub augment: Vec<Augment>,
}

/// A message and what comes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The message.
    pub message: Message,
    /// What comes with it.
    pub data: Vec<u8>,
}

impl From<Message> for Frame {
    fn from(message: Message) -> Frame {
        let data = Vec::new();
        Frame { message, data }
    }
}

impl Frame {
    /// The bytes.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec(&self.message)?;
        let long = |_| io::Error::other("a message is too long to be sent");
        let length = u32::try_from(text.len()).map_err(long)?;
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend((self.data.len() as u64).to_le_bytes());
        bytes.extend(text);
        bytes.extend(&self.data);
        Ok(bytes)
    }

    /// Sends it.
    pub fn send(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.write_all(&self.to_bytes()?)
    }

    /// The next one. What is no message of ours is an error.
    pub fn receive(stream: &mut impl Read) -> io::Result<Frame> {
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        let (length, rest) = head.split_at(4);
        let length = length.iter().rev().fold(0, |n, &b| n << 8 | usize::from(b));
        let with = rest.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
        if length > LONGEST {
            return Err(io::Error::other("what comes is no message of vanc"));
        }
        let text = take(stream, length as u64)?;
        let data = take(stream, with)?;
        let message = serde_json::from_slice(&text)?;
        Ok(Frame { message, data })
    }
}

/// So many bytes, for which memory is taken as they come.
fn take(stream: &mut impl Read, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(count).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == count {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A connection that is read with patience, but not for ever: see [`SILENCE`].
pub struct Patient<'a>(pub &'a TcpStream);

impl Read for Patient<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut last = io::ErrorKind::TimedOut.into();
        for _ in 0..2 {
            match (&mut &*self.0).read(to) {
                Err(e) if is_late(&e) => last = e,
                done => return done,
            }
        }
        Err(last)
    }
}

/// Whether the time is up.
pub fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Tensors as a list and bytes.
pub fn pack(tensors: &[Tensor]) -> (Vec<Outline>, Vec<u8>) {
    let outline = |tensor: &Tensor| Outline {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
    };
    let floats = tensors.iter().flat_map(|tensor| &tensor.data);
    let bytes = floats.flat_map(|x| x.to_le_bytes()).collect();
    (tensors.iter().map(outline).collect(), bytes)
}

/// And back; nothing where the bytes are not as many.
pub fn unpack(outlines: &[Outline], bytes: &[u8]) -> Option<Vec<Tensor>> {
    let mut rest = bytes;
    let tensors = outlines.iter().map(|outline| {
        let count = outline
            .shape
            .iter()
            .try_fold(4_usize, |n, &d| n.checked_mul(d));
        let (own, after) = rest.split_at_checked(count?)?;
        rest = after;
        Some(Tensor {
            name: outline.name.clone(),
            shape: outline.shape.clone(),
            data: floats(own),
        })
    });
    let tensors = tensors.collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(tensors)
}

/// The floats that little-endian bytes stand for.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// The same of unsigned integers.
pub fn integers(bytes: &[u8]) -> Vec<u32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let message = Message::Queue {
            index: 3,
            at: At {
                rate: 0.1 + 0.2,
                seed: u64::MAX,
                step: 7,
            },
        };
        let frames = [
            Frame {
                message,
                data: vec![1, 2, 3],
            },
            Message::Outcomes.into(),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(|f| f.to_bytes().unwrap()).collect();
        let mut stream = bytes.as_slice();
        for frame in &frames {
            assert_eq!(Frame::receive(&mut stream).unwrap(), *frame);
        }
        assert!(stream.is_empty());
        for end in 0..bytes.len() - 1 {
            let mut cut = &bytes[..end];
            while let Ok(frame) = Frame::receive(&mut cut) {
                assert!(frames.contains(&frame));
            }
        }
    }

    #[test]
    fn garbage_is_an_error_and_takes_no_memory() {
        assert!(Frame::receive(&mut b"GET / HTTP/1.1\r\nHost: x\r\n".as_slice()).is_err());
        let mut huge = vec![2, 0, 0, 0];
        huge.extend(u64::MAX.to_le_bytes());
        huge.extend(b"{}");
        assert!(Frame::receive(&mut huge.as_slice()).is_err());
    }

    #[test]
    fn tensors_are_packed_and_unpacked() {
        let tensors = [
            Tensor::full("a", &[2, 3], 1.5),
            Tensor::full("b", &[], f32::MIN_POSITIVE),
        ];
        let (outlines, bytes) = pack(&tensors);
        assert_eq!(unpack(&outlines, &bytes).unwrap(), tensors);
        assert_eq!(unpack(&outlines, &bytes[4..]), None);
        assert_eq!(unpack(&outlines[1..], &bytes), None);
        let huge = Outline {
            name: "c".into(),
            shape: vec![usize::MAX, 3],
        };
        assert_eq!(unpack(&[huge], &bytes), None);
        assert_eq!(integers(&[1, 0, 0, 0, 255, 255, 255, 255]), [1, u32::MAX]);
    }
}
