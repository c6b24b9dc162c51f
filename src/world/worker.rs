//! The ranks after 0: they do what rank 0's engine does.

use super::links::Links;
use super::wire::{At, Frame, ImagesOutline, Message, Outline, floats, integers, unpack};
use crate::engines::cuda::{Group, GroupId};
use crate::engines::{Engine, Images, Order, Resident, StepContext};
use crate::error::{Error, Result};
use crate::ir::Shape;
use crate::tensor::{Batch, Tensor};

/// What an engine is begun with.
pub struct Beginning {
    /// The processes that it is one of.
    pub group: Group,
    /// Its state.
    pub tensors: Vec<Tensor>,
}

/// Waits until rank 0 begins.
pub fn begin(links: &Links) -> Result<Beginning> {
    let Frame { message, data } = next(links)?;
    let Message::Begin { id, tensors } = message else {
        return Err(confused());
    };
    let id = GroupId(id.try_into().map_err(|_| confused())?);
    let (rank, size) = (links.world().rank, links.world().size);
    Ok(Beginning {
        group: Group { id, rank, size },
        tensors: unpack(&tensors, &data).ok_or_else(confused)?,
    })
}

/// Does what rank 0 does, on images of `shape`, until the run has ended; the signal that
/// ended it, if one did.
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

/// What keeps images; rank 0 asks for it only where each engine has said that it does.
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
    let split =
        |bytes: Option<usize>, data| bytes.and_then(|at| <[u8]>::split_at_checked(data, at));
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
    let split = labels.and_then(|at| data.split_at_checked(at));
    let (labels, pixels) = split.ok_or_else(confused)?;
    Ok(Batch {
        images: floats(pixels),
        labels: integers(labels),
    })
}

fn next(links: &Links) -> Result<Frame> {
    links.receive()?.pop().ok_or_else(confused)
}

/// The error of a message that should not have come.
fn confused() -> Error {
    Error::new("rank 0 said what makes no sense here").help("this is a mistake in vanc")
}

impl From<At> for StepContext {
    fn from(at: At) -> StepContext {
        let At { rate, seed, step } = at;
        StepContext { rate, seed, step }
    }
}
