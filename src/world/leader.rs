//! Rank 0: an engine whose training steps are those of all processes.

use super::links::Links;
use super::wire::{At, Frame, ImagesOutline, Message, pack};
use crate::engines::cuda::GroupId;
use crate::engines::{Engine, Images, Order, Outcome, Resident, SkipState, StepContext};
use crate::error::Result;
use crate::ir::Rates;
use crate::tensor::{Batch, Tensor};
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// Asks the other ranks to make engines with the state `tensors` and these `rates` of the
/// constraint, in NCCL's group `id`.
///
/// # Errors
///
/// When a rank cannot be reached.
pub fn begin(links: &Links, id: &GroupId, tensors: &[Tensor], rates: Rates) -> Result<()> {
    let (tensors, data) = pack(tensors);
    let id = id.0.to_vec();
    links.send(&Frame {
        message: Message::Begin { id, tensors, rates },
        data,
    })
}

/// The engine of rank 0; each call that trains goes to the engines of all ranks.
pub struct Leader {
    /// Engine of this process. It is leaked unless the run ended in order: dropping it may
    /// wait for other ranks.
    engine: ManuallyDrop<Box<dyn Engine>>,
    links: Rc<Links>,
}

impl Leader {
    /// Leads the ranks that [`begin`] was sent to.
    pub fn new(engine: Box<dyn Engine>, links: Rc<Links>) -> Leader {
        let engine = ManuallyDrop::new(engine);
        Leader { engine, links }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.links.has_ended() {
            // SAFETY: dropped once, here, and the field is not used again.
            unsafe { ManuallyDrop::drop(&mut self.engine) };
        }
    }
}

impl From<StepContext> for At {
    fn from(at: StepContext) -> At {
        let StepContext { rate, seed, step } = at;
        At { rate, seed, step }
    }
}

impl Engine for Leader {
    fn name(&self) -> String {
        let size = self.links.world().size;
        format!("{}, {size} processes", self.engine.name())
    }

    fn step(&mut self, batch: &Batch, at: StepContext) -> Result<Outcome> {
        let labels = batch.labels.iter().flat_map(|x| x.to_le_bytes());
        let pixels = batch.images.iter().flat_map(|x| x.to_le_bytes());
        self.links.send(&Frame {
            message: Message::Step {
                images: batch.len(),
                at: at.into(),
            },
            data: labels.chain(pixels).collect(),
        })?;
        self.engine.step(batch, at)
    }

    fn end_epoch(&mut self, rate: f64) -> Result<()> {
        self.links.send(&Message::EndEpoch { rate }.into())?;
        self.engine.end_epoch(rate)
    }

    /// Logits, computed by rank 0 alone in batches no larger than its part of a step.
    fn logits(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        let part = self.links.world().part(batch.len()).max(1);
        let each = batch.images.len() / batch.len().max(1);
        let mut logits = Vec::new();
        let images = batch.images.chunks((part * each).max(1));
        for (images, labels) in images.zip(batch.labels.chunks(part)) {
            logits.extend(self.engine.logits(&Batch {
                images: images.to_vec(),
                labels: labels.to_vec(),
            })?);
        }
        Ok(logits)
    }

    fn gradients(&mut self, batch: &Batch, at: StepContext) -> Result<(Outcome, Vec<Tensor>)> {
        self.engine.gradients(batch, at)
    }

    fn first_non_finite(&mut self, batch: &Batch, at: StepContext) -> Result<Option<String>> {
        self.engine.first_non_finite(batch, at)
    }

    fn skips(&self) -> Result<Vec<SkipState>> {
        self.engine.skips()
    }

    fn save(&self) -> Result<Vec<Tensor>> {
        self.engine.save()
    }

    fn load(&mut self, tensors: &[Tensor]) -> Result<()> {
        let (outlines, data) = pack(tensors);
        let message = Message::Load { tensors: outlines };
        self.links.send(&Frame { message, data })?;
        self.engine.load(tensors)
    }

    fn resident(&mut self) -> Option<Box<dyn Resident + '_>> {
        let links = &*self.links;
        let own = self.engine.resident()?;
        Some(Box::new(ResidentLeader { own, links }))
    }
}

/// Images of all processes, each of which keeps its own copy.
struct ResidentLeader<'a> {
    own: Box<dyn Resident + 'a>,
    links: &'a Links,
}

impl Resident for ResidentLeader<'_> {
    /// Keeps the images on the devices of all ranks; false if one has no room.
    fn make_resident(&mut self, images: &Images) -> Result<bool> {
        if !self.own.make_resident(images)? {
            return Ok(false);
        }
        let labels = images.labels.iter().flat_map(|x| x.to_le_bytes());
        let moments = images.mean.iter().chain(images.deviation);
        let moments = moments.flat_map(|x| x.to_le_bytes());
        let mut data: Vec<u8> = labels.chain(moments).collect();
        data.extend(images.pixels);
        let outline = ImagesOutline {
            count: images.labels.len(),
            batch: images.batch,
            augment: images.augment.to_vec(),
        };
        let message = Message::MakeResident(outline);
        self.links.send(&Frame { message, data })?;
        let answers = self.links.receive()?;
        let has_room = |frame: &Frame| frame.message == Message::Resident(true);
        Ok(answers.iter().all(has_room))
    }

    fn begin_epoch(&mut self, order: &Order) -> Result<()> {
        let images = order.images.iter().copied();
        let changes = order.changes.iter();
        let changes = changes.flat_map(|&(down, right)| [down as u32, right as u32]);
        self.links.send(&Frame {
            message: Message::Epoch {
                images: order.images.len(),
            },
            data: images.chain(changes).flat_map(u32::to_le_bytes).collect(),
        })?;
        self.own.begin_epoch(order)
    }

    fn queue(&mut self, index: usize, at: StepContext) -> Result<()> {
        let message = Message::Queue {
            index,
            at: at.into(),
        };
        self.links.send(&message.into())?;
        self.own.queue(index, at)
    }

    fn outcomes(&mut self) -> Result<Vec<Outcome>> {
        self.links.send(&Message::Outcomes.into())?;
        self.own.outcomes()
    }
}
