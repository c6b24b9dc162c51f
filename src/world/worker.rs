//! The ranks after 0: they repeat the calls of rank 0's engine.

use super::links::Links;
use super::wire::{At, Frame, ImagesOutline, Message, Outline, floats, integers, unpack};
use crate::engines::cuda::{Group, GroupId};
use crate::engines::{Engine, Images, Order, Resident, StepContext};
use crate::error::{Error, Result};
use crate::ir::{Rates, Shape};
use crate::tensor::{Batch, Tensor};

/// Arguments for making this rank's engine.
pub struct Beginning {
    /// Group of processes that the engine is one of.
    pub group: Group,
    /// State of the engine.
    pub tensors: Vec<Tensor>,
    /// Rates of the constraint.
    pub rates: Rates,
}

/// Waits for rank 0's command to make an engine.
///
/// # Errors
///
/// When rank 0 is lost, or sends anything else.
pub fn begin(links: &Links) -> Result<Beginning> {
    let Frame { message, data } = next(links)?;
    let Message::Begin { id, tensors, rates } = message else {
        return Err(confused());
    };
    let id = GroupId(id.try_into().map_err(|_| confused())?);
    let (rank, size) = (links.world().rank, links.world().size);
    Ok(Beginning {
        group: Group { id, rank, size },
        tensors: unpack(&tensors, &data).ok_or_else(confused)?,
        rates,
    })
}

/// Repeats the calls of rank 0 on `engine`, for images of `shape`, until the run ends;
/// returns the signal that ended it, if one did.
///
/// # Errors
///
/// When a call fails here, when rank 0 is lost, or when it sends a message that makes no
/// sense.
pub fn serve(engine: &mut dyn Engine, shape: Shape, links: &Links) -> Result<Option<i32>> {
    loop {
        let Frame { message, data } = next(links)?;
        match message {
            Message::Load { tensors } => load(engine, &tensors, &data)?,
            Message::MakeResident(outline) => {
                let has_room = make_resident(engine, shape, &outline, &data)?;
                links.send(&Message::Resident(has_room).into())?;
            }
            Message::Epoch { images } => resident(engine)?.begin_epoch(&order(images, &data)?)?,
            Message::Queue { index, at } => resident(engine)?.queue(index, at.into())?,
            Message::Outcomes => {
                resident(engine)?.outcomes()?;
            }
            Message::Step { images, at } => {
                engine.step(&batch(images, &data)?, at.into())?;
            }
            Message::EndEpoch { rate } => engine.end_epoch(rate)?,
            Message::End { signal } => return Ok(signal),
            Message::Join { .. }
            | Message::Settings { .. }
            | Message::Agreed
            | Message::Beat { .. }
            | Message::Failed { .. }
            | Message::Begin { .. }
            | Message::Resident(_) => return Err(confused()),
        }
    }
}

fn load(engine: &mut dyn Engine, tensors: &[Outline], data: &[u8]) -> Result<()> {
    engine.load(&unpack(tensors, data).ok_or_else(confused)?)
}

/// Returns the engine as one that keeps images; rank 0 asks for it only where each engine has said that it does.
fn resident(engine: &mut dyn Engine) -> Result<Box<dyn Resident + '_>> {
    engine.resident().ok_or_else(confused)
}

fn make_resident(
    engine: &mut dyn Engine,
    shape: Shape,
    outline: &ImagesOutline,
    data: &[u8],
) -> Result<bool> {
    let words = |count: usize| count.checked_mul(size_of::<u32>());
    let split = |bytes: Option<usize>, data| {
        bytes.and_then(|length| <[u8]>::split_at_checked(data, length))
    };
    let channels = words(shape.channels());
    let (labels, rest) = split(words(outline.count), data).ok_or_else(confused)?;
    let (mean, rest) = split(channels, rest).ok_or_else(confused)?;
    let (deviation, pixels) = split(channels, rest).ok_or_else(confused)?;
    if Some(pixels.len()) != outline.count.checked_mul(shape.elements()) {
        return Err(confused());
    }
    let Some(mut resident) = engine.resident() else {
        return Ok(false);
    };
    resident.make_resident(&Images {
        shape,
        pixels,
        labels: &integers(labels),
        mean: &floats(mean),
        deviation: &floats(deviation),
        batch: outline.batch,
        augment: &outline.augment,
    })
}

fn order(images: usize, data: &[u8]) -> Result<Order> {
    let numbers = integers(data);
    let (images, changes) = numbers.split_at_checked(images).ok_or_else(confused)?;
    let (pairs, _) = changes.as_chunks::<2>();
    Ok(Order {
        images: images.to_vec(),
        changes: pairs.iter().map(|&[a, b]| (a as i32, b as i32)).collect(),
    })
}

fn batch(images: usize, data: &[u8]) -> Result<Batch> {
    let labels = images.checked_mul(size_of::<u32>());
    let split = labels.and_then(|length| data.split_at_checked(length));
    let (labels, pixels) = split.ok_or_else(confused)?;
    Ok(Batch {
        images: floats(pixels),
        labels: integers(labels),
    })
}

fn next(links: &Links) -> Result<Frame> {
    links.receive()?.pop().ok_or_else(confused)
}

/// The error for a message that should not have come.
fn confused() -> Error {
    Error::new("rank 0 said what makes no sense here").help("this is a mistake in vanc")
}

impl From<At> for StepContext {
    fn from(at: At) -> StepContext {
        let At { rate, seed, step } = at;
        StepContext { rate, seed, step }
    }
}
