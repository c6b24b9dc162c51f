//! Messages between the processes of a world, over TCP.
//!
//! A frame is the length of a text (4 bytes, little-endian), the length of its data
//! (8 bytes), the text (the message as JSON) and the data (numbers as they are in memory).

use crate::ir::{Augment, Rates};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Duration;

/// First bytes of a connection: the program, and the version of the protocol.
pub const GREETING: [u8; 8] = *b"vanc\0w\0\x03";

/// Most bytes that a frame may announce.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of its text.
    pub text: usize,
    /// Of its data.
    pub data: u64,
}

/// Lengths of rank 0's frames. A file and its settings are far shorter than the text, and images
/// and weights may be of any size.
pub const OF_LEADER: Limits = Limits {
    text: 64 << 20,
    data: u64::MAX,
};

/// Lengths of the other ranks' frames, which are answers and beats.
pub const OF_WORKER: Limits = Limits {
    text: 1 << 20,
    data: 0,
};

/// Longest silence of an end that has to answer. [`Patient`] waits that long twice: a process
/// that was suspended finds its own first wait used up, while the other end is well.
pub const SILENCE: Duration = Duration::from_secs(30);

/// A message. Rank 0 sends most of them: it leads, and the others do what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// First message to rank 0: the process that has connected.
    Join {
        /// Version of the program.
        version: String,
        /// Rank in the environment.
        rank: usize,
        /// Size of the world in the environment.
        size: usize,
    },
    /// Settings of rank 0, for the others to compare with theirs.
    Settings {
        /// Text of `config.json`.
        config: String,
        /// Text of the `.van` file.
        source: String,
    },
    /// Answer to rank 0 that the settings are equal.
    Agreed,
    /// Sign of life every second, in both directions.
    Beat {
        /// Number of the signal that asks to stop, if one came.
        signal: Option<i32>,
    },
    /// The sender's last message before it ends with an error, in both directions.
    Failed {
        /// Message of the error.
        why: String,
    },
    /// Command from rank 0 to make an engine with the tensors in the data.
    Begin {
        /// NCCL's identifier of the group.
        id: Vec<u8>,
        /// Names and shapes of the tensors.
        tensors: Vec<Outline>,
        /// Rates of the constraint: rank 0 alone knows how many images there are.
        rates: Rates,
    },
    /// Command from rank 0 to load the tensors in the data.
    Load {
        /// Names and shapes of the tensors.
        tensors: Vec<Outline>,
    },
    /// Command from rank 0 to keep images on the device. The data: labels, mean and deviation
    /// of the channels, pixels.
    MakeResident(ImagesOutline),
    /// Answer to rank 0: whether there was room for the images.
    Resident(bool),
    /// Command from rank 0 to begin an epoch. The data: the images' order, then their
    /// changes.
    Epoch {
        /// Number of images.
        images: usize,
    },
    /// Command from rank 0 to queue a step on resident images.
    Queue {
        /// Index of the batch in the epoch.
        index: usize,
        /// Context of the step.
        at: At,
    },
    /// Command from rank 0 to wait for the steps queued so far.
    Outcomes,
    /// Command from rank 0 to do a step on a batch. The data: labels, then images.
    Step {
        /// Number of images.
        images: usize,
        /// Context of the step.
        at: At,
    },
    /// Command from rank 0 to update the constraint at the end of an epoch.
    EndEpoch {
        /// Learning rate.
        rate: f64,
    },
    /// Message from rank 0 that the run has ended in order, or by a signal.
    End {
        /// Number of the signal, if one ended the run.
        signal: Option<i32>,
    },
}

/// [`crate::engines::StepContext`] in a message.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct At {
    /// Learning rate.
    pub rate: f64,
    /// Seed of the run.
    pub seed: u64,
    /// Steps since training began.
    pub step: u64,
}

/// Name and shape of a tensor whose elements are in the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Name of the tensor.
    pub name: String,
    /// Shape of the tensor.
    pub shape: Vec<usize>,
}

/// Description of [`crate::engines::Images`] whose numbers are in the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImagesOutline {
    /// Number of images.
    pub count: usize,
    /// Images in a step.
    pub batch: usize,
    /// Random changes of each image.
    pub augment: Vec<Augment>,
}

/// A message and its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The message.
    pub message: Message,
    /// Numbers that belong to the message, as bytes.
    pub data: Vec<u8>,
}

impl From<Message> for Frame {
    fn from(message: Message) -> Frame {
        let data = Vec::new();
        Frame { message, data }
    }
}

impl Frame {
    /// Encodes the frame.
    ///
    /// # Errors
    ///
    /// When the message is longer than 4 GiB.
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

    /// Reads the next frame of rank 0 from `stream`.
    ///
    /// # Errors
    ///
    /// As [`Frame::receive_within`].
    pub fn receive(stream: &mut impl Read) -> io::Result<Frame> {
        Frame::receive_within(stream, OF_LEADER)
    }

    /// Reads the next frame from `stream`.
    ///
    /// # Errors
    ///
    /// When the stream ends, fails or is silent for too long, and when its bytes are no frame or
    /// one beyond the limits, of which nothing is read.
    pub fn receive_within(stream: &mut impl Read, limits: Limits) -> io::Result<Frame> {
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        let (text_length, rest) = head.split_at(4);
        let text_length = text_length
            .iter()
            .rev()
            .fold(0, |n, &b| n << 8 | usize::from(b));
        let data_length = rest.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
        if text_length > limits.text || data_length > limits.data {
            return Err(io::Error::other("what comes is no message of vanc"));
        }
        let text = take(stream, text_length as u64)?;
        let data = take(stream, data_length)?;
        let message = serde_json::from_slice(&text)?;
        Ok(Frame { message, data })
    }
}

/// Reads exactly `count` bytes. Memory is allocated as they come, so that a false count
/// cannot ask for more than is sent.
fn take(stream: &mut impl Read, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(count).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == count {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A reader of a connection that tolerates one timeout but not two in a row: see [`SILENCE`].
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

/// Whether `error` is a timeout.
pub fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Splits tensors into their outlines and the bytes of all their elements, in order.
pub fn pack(tensors: &[Tensor]) -> (Vec<Outline>, Vec<u8>) {
    let outline = |tensor: &Tensor| Outline {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
    };
    let floats = tensors.iter().flat_map(|tensor| &tensor.data);
    let bytes = floats.flat_map(|x| x.to_le_bytes()).collect();
    (tensors.iter().map(outline).collect(), bytes)
}

/// Joins outlines and bytes to tensors, the inverse of [`pack`]. None if the number of bytes
/// differs.
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

/// Decodes little-endian `f32`s.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// Decodes little-endian `u32`s.
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
        let mut unread = huge.as_slice();
        assert!(Frame::receive_within(&mut unread, OF_WORKER).is_err());
        assert_eq!(unread, b"{}");
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
