//! Batches: from the host, or made on the card of the images that lie there.

use super::exchange::Part;
use super::gpu::{Args, Buffer, Gpu, Grid};
use super::layout::Layout;
use super::memory::Memory;
use super::products::int;
use crate::engines::{Images, Order};
use crate::error::{Error, Result};
use crate::ir::{Augment, Shape};
use crate::plan::Plan;
use crate::tensor::Batch;
use std::mem::offset_of;

/// Layout of a change of an image, as the host has it.
pub const CHANGE_LAYOUT: Layout = Layout {
    name: "Change",
    size: size_of::<(i32, i32)>(),
    fields: &[("down", 4), ("right", 4)],
};
const _: () = assert!(offset_of!((i32, i32), 1) == 4);

/// Training images on the card, and the order of an epoch.
pub struct ResidentImages {
    shape: Shape,
    batch: usize,
    count: usize,
    changes: usize,
    pixels: Buffer,
    labels: Buffer,
    mean: Buffer,
    deviation: Buffer,
    kinds: Buffer,
    order: Buffer,
    drawn: Buffer,
    /// Whether the order of an epoch is on the card.
    is_ordered: bool,
}

/// Tells whether the elements of an image are a vector in C, H, W order, not channels last.
fn is_vector(plan: &Plan) -> i32 {
    match plan.shape(plan.input) {
        Shape::Image { .. } => 0,
        Shape::Flat(_) => 1,
    }
}

/// Copies a batch to the card and queues its unpacking.
pub fn place(gpu: &Gpu, memory: &mut Memory, plan: &Plan, batch: &Batch) -> Result<()> {
    let count = batch.images.len();
    let staging = memory.staging(gpu, size_of_val(batch.images.as_slice()))?;
    gpu.upload(&batch.images, staging)?;
    gpu.upload(&batch.labels, memory.labels())?;
    let args = Args::default()
        .with(staging)
        .with(memory.address(plan, plan.input));
    let args = args
        .with(int(plan.image.channels()))
        .with(int(plan.image.positions()));
    let args = args.with(is_vector(plan)).with(count as u32);
    // SAFETY: what the kernel takes; a validated batch has `count` pixels, as the plan's input.
    unsafe { gpu.launch("place_images", Grid::for_count(count), args) }
}

/// Counts the bytes that [`ResidentImages`] takes for `images`.
pub fn room(images: &Images) -> usize {
    let each = size_of::<u32>() * 2 + images.augment.len() * size_of::<(i32, i32)>();
    images.pixels.len() + images.labels.len() * each
}

impl ResidentImages {
    /// Copies the images to the card.
    pub fn new(gpu: &Gpu, images: &Images) -> Result<ResidentImages> {
        fn filled<T: Copy>(gpu: &Gpu, data: &[T]) -> Result<Buffer> {
            let buffer = gpu.zeros(size_of_val(data))?;
            gpu.upload(data, buffer.at)?;
            Ok(buffer)
        }
        let kinds: Vec<u8> = images
            .augment
            .iter()
            .map(|change| match change {
                Augment::PadCrop(_) => 0,
                Augment::FlipHorizontal => 1,
            })
            .collect();
        let (count, changes) = (images.labels.len(), kinds.len());
        Ok(ResidentImages {
            shape: images.shape,
            batch: images.batch.max(1),
            count,
            changes,
            pixels: filled(gpu, images.pixels)?,
            labels: filled(gpu, images.labels)?,
            mean: filled(gpu, images.mean)?,
            deviation: filled(gpu, images.deviation)?,
            kinds: filled(gpu, &kinds)?,
            order: gpu.zeros(count * size_of::<u32>())?,
            drawn: gpu.zeros(count * changes * size_of::<(i32, i32)>())?,
            is_ordered: false,
        })
    }

    /// Takes the order of an epoch.
    pub fn begin(&mut self, gpu: &Gpu, order: &Order) -> Result<()> {
        if order.images.len() != self.count || order.changes.len() != self.count * self.changes {
            return Err(Error::new(
                "an epoch's order is not of the images on the card",
            ));
        }
        gpu.upload(&order.images, self.order.at)?;
        gpu.upload(&order.changes, self.drawn.at)?;
        self.is_ordered = true;
        Ok(())
    }

    /// Counts the images in the batch of number `index`.
    pub fn len(&self, index: usize) -> usize {
        let first = index.saturating_mul(self.batch);
        self.count.saturating_sub(first).min(self.batch)
    }

    /// Queues the making of `part` of a batch for `plan`.
    pub fn place(
        &self,
        gpu: &Gpu,
        memory: &Memory,
        plan: &Plan,
        (index, part): (usize, Part),
    ) -> Result<()> {
        if !self.is_ordered || part.total != self.len(index) || plan.batch != part.images {
            return Err(Error::new("a batch was asked for that is not in the epoch"));
        }
        let (channels, (height, width)) = (self.shape.channels(), self.shape.extent());
        let first = index * self.batch + part.first;
        let count = plan.batch * self.shape.elements();
        let args = Args::default().with(self.pixels.at).with(self.labels.at);
        let args = args
            .with(self.order.at)
            .with(self.drawn.at)
            .with(self.kinds.at);
        let args = args.with(int(self.changes)).with(self.mean.at);
        let args = args
            .with(self.deviation.at)
            .with(memory.address(plan, plan.input));
        let args = args.with(memory.labels()).with(first as u32);
        let args = args.with(int(channels)).with(int(height)).with(int(width));
        let args = args.with(is_vector(plan)).with(count as u32);
        // SAFETY: what the kernel takes; the order is of the images here, the batch within
        // it, and the plan is for as many.
        unsafe { gpu.launch("gather_images", Grid::for_count(count), args) }
    }
}
