//! Training of one network by several processes, a GPU each: every one computes the
//! gradients of its part of a batch, and the sums over all of them move all copies alike.
//!
//! A part's gradients are those of its images' share of the mean loss over the whole
//! batch, so that the sum over the parts is the gradient that one GPU would have
//! computed, however the batch is shared out. Statistics of batch norms alone are of the
//! part.
//!
//! The sums and what moves tensors are a graph of their own, launched after that of a
//! plan's passes and captured once, when the processes meet: NCCL wants all of them to
//! capture a sum together, while plans come and go with the batches that each has. All
//! gradients lie in one row, so they are one sum; it begins when the last is known.

use super::card::failed;
use super::gpu::{Args, Buffer, Gpu, Grid};
use super::memory::Memory;
use super::nccl::{Communicator, Group};
use super::update;
use crate::error::Result;
use crate::ir::Train;
use crate::tensor::Batch;
use cudarc::driver::CudaGraph;

/// Part of a batch that a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of images of others before the part.
    pub first: usize,
    /// Number of images in the part.
    pub images: usize,
    /// Number of images in the batch.
    pub total: usize,
}

impl Part {
    /// Makes the part that is all of a batch.
    pub fn whole(images: usize) -> Part {
        Part {
            first: 0,
            images,
            total: images,
        }
    }

    /// Makes the part of process `rank` of `size`: none is more than one image larger
    /// than another, and rank 0 has an image of any batch.
    pub fn of_rank(total: usize, rank: usize, size: usize) -> Part {
        let start = |rank: usize| (total * rank).div_ceil(size);
        Part {
            first: start(rank),
            images: start(rank + 1) - start(rank),
            total,
        }
    }

    /// Copies the part's images of `batch`, which has [`Self::total`].
    pub fn take(&self, batch: &Batch) -> Batch {
        let each = batch.images.len() / self.total.max(1);
        let end = self.first + self.images;
        Batch {
            images: batch.images[self.first * each..end * each].to_vec(),
            labels: batch.labels[self.first..end].to_vec(),
        }
    }
}

/// Exchange of gradients with the other processes.
pub struct Exchange {
    /// Graph of the sums and the update; it is dropped before what it uses.
    graph: CudaGraph,
    _communicator: Communicator,
    /// Sum of losses and count of correct images, as doubles.
    _tally: Buffer,
    group: Group,
}

impl Exchange {
    /// Meets the other processes, who have the same tensors and settings.
    pub fn join(gpu: &Gpu, memory: &Memory, train: &Train, group: &Group) -> Result<Exchange> {
        let communicator = Communicator::join(gpu, group)?;
        let tally = gpu.zeros(2 * size_of::<f64>())?;
        let sums = || {
            let gradients = (memory.gradients.at, memory.rows.alphas.end);
            communicator.sum(gpu, gradients, (tally.at, 2))
        };
        // The first time, on zeros, NCCL connects the GPUs, which it may not in a capture.
        sums()?;
        gpu.wait()?;
        let one = Grid {
            blocks: [1; 3],
            threads: [1; 3],
        };
        let (control, outcomes) = (memory.control.at, memory.outcomes.at);
        let args = || Args::default().with(control).with(outcomes).with(tally.at);
        let graph = gpu.capture(|| {
            // SAFETY: what the kernel takes; memory has them, and the tally two doubles.
            unsafe { gpu.launch("tell", one, args()) }?;
            sums()?;
            // SAFETY: `settle` takes the same arguments as `tell`.
            unsafe { gpu.launch("settle", one, args()) }?;
            update::update(gpu, memory, train)
        })?;
        Ok(Exchange {
            graph,
            _communicator: communicator,
            _tally: tally,
            group: *group,
        })
    }

    /// Returns the part that this process has of a batch of `images`.
    pub fn part(&self, images: usize) -> Part {
        Part::of_rank(images, self.group.rank, self.group.size)
    }

    /// Queues the sums, and the update of weights, α and λ.
    pub fn launch(&self) -> Result<()> {
        let launched = self.graph.launch();
        launched.map_err(|e| failed("the exchange of gradients does not start", &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_even_and_make_up_the_batch() {
        for size in 1..=5 {
            for total in [1, 2, 3, 7, 64] {
                let parts: Vec<Part> = (0..size).map(|r| Part::of_rank(total, r, size)).collect();
                let mut end = 0;
                for part in &parts {
                    assert_eq!((part.first, part.total), (end, total));
                    assert!(part.images.abs_diff(total / size) <= 1);
                    end += part.images;
                }
                assert_eq!(end, total);
                assert!(parts[0].images > 0);
            }
        }
        assert_eq!(Part::of_rank(9, 0, 1), Part::whole(9));
    }

    #[test]
    fn a_part_of_a_batch_has_its_images_and_labels() {
        let batch = Batch {
            images: (0..6).map(|x| x as f32).collect(),
            labels: vec![7, 8, 9],
        };
        let part = Part::of_rank(3, 1, 2).take(&batch);
        assert_eq!((part.images, part.labels), (vec![4.0, 5.0], vec![9]));
        assert!(
            Part::of_rank(1, 1, 2)
                .take(&Part::of_rank(3, 1, 2).take(&batch))
                .is_empty()
        );
    }
}
