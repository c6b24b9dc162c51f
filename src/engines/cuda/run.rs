//! Steps of a plan on a card: each action as launches of kernels.

use super::Precision;
use super::context::{Run, chunks, columns};
use super::gpu::{Args, Grid};
use super::map;
use super::pass;
use super::products::{Extents, Product, cast_room, int};
use crate::error::Result;
use crate::plan::{self, Action, ConvPass, Convolution, Id, Method, Plan, Step, Window};

/// Target of plans for this engine.
#[derive(Clone, Copy)]
pub struct CudaTarget {
    /// Precision of products.
    pub precision: Precision,
}

impl plan::Target for CudaTarget {
    fn lanes(&self) -> usize {
        1
    }

    fn method(&self, _: usize, window: Window) -> Method {
        match window == Window::POINT {
            true => Method::Dense,
            // Which of its algorithms cuDNN takes is its own matter.
            false => Method::Direct,
        }
    }

    fn workspace(&self, plan: &Plan, step: &Step) -> usize {
        let channels = |id| plan.shape(id).channels();
        let rows = |id| plan.batch * plan.shape(id).positions();
        match &step.action {
            Action::Convolve(c) => {
                let extents = Extents::new(plan, c);
                let beside = match c.pass {
                    ConvPass::Forward { statistics, .. } => {
                        statistics.map_or(0, |_| moments_room(rows(c.y), channels(c.y)))
                    }
                    ConvPass::Input { .. } => 0,
                    ConvPass::Weight { bias } => {
                        let (_, chunks) = chunks(rows(c.y), channels(c.y));
                        let bias = bias.map_or(0, |_| chunks * channels(c.y));
                        extents.partials().max(bias)
                    }
                };
                cast_room(extents, self.precision).max(beside)
            }
            Action::Statistics { x, .. } => moments_room(rows(*x), channels(*x)),
            Action::PointwiseGradient(g) => pass::room(plan, g),
            Action::Pointwise(_)
            | Action::Map(_)
            | Action::Dirac { .. }
            | Action::DiracGradient { .. }
            | Action::Loss { .. }
            | Action::Update { .. }
            | Action::MoveStatistics { .. } => 0,
        }
    }
}

fn moments_room(rows: usize, channels: usize) -> usize {
    2 * chunks(rows, channels).1 * channels
}

impl Run<'_> {
    /// Queues a step; what moves tensors in the end is left to [`super::update`].
    pub fn step(&self, step: &Step, product: Option<&Product>) -> Result<()> {
        let address = |id: &Id| self.address(*id);
        let args = Args::default;
        let product = product.unwrap_or(&Product::Own);
        match &step.action {
            Action::Convolve(c) => self.convolve(c, self.scratch(step), product),
            Action::Map(map) => map::run(self, &step.path, map),
            Action::Dirac { weight, a, b, y } => {
                let (grid, inputs, length, center) = self.filters(*weight);
                let args = args()
                    .with(address(weight))
                    .with(address(a))
                    .with(address(b))
                    .with(address(y));
                let args = args.with(inputs).with(length).with(center);
                // SAFETY: what the kernel takes, of one weight and its filters.
                unsafe { self.gpu.launch("dirac", grid, args) }
            }
            Action::DiracGradient {
                weight,
                b,
                dy,
                dweight,
                da,
                db,
            } => {
                let (grid, inputs, length, center) = self.filters(*weight);
                let args = args()
                    .with(address(weight))
                    .with(address(b))
                    .with(address(dy));
                let args = args
                    .with(address(dweight))
                    .with(address(da))
                    .with(address(db));
                let args = args.with(inputs).with(length).with(center);
                // SAFETY: what the kernel takes, of one weight and its filters.
                unsafe { self.gpu.launch("dirac_gradient", grid, args) }
            }
            Action::Statistics { x, y } => self.moments(*x, self.scratch(step), address(y)),
            Action::Pointwise(p) => pass::forward(self, p),
            Action::PointwiseGradient(g) => pass::backward(self, g, self.scratch(step)),
            Action::Loss { logits, gradient } => self.loss(*logits, *gradient),
            Action::Update { .. } | Action::MoveStatistics { .. } => Ok(()),
        }
    }

    fn convolve(&self, c: &Convolution, scratch: u64, product: &Product) -> Result<()> {
        let extents = Extents::new(self.plan, c);
        let [x, weight, y] = [c.x, c.weight, c.y].map(|id| self.address(id));
        match c.pass {
            ConvPass::Forward { bias, statistics } => {
                let operands = [x, weight, y, scratch];
                // SAFETY: the plan's buffers, of its extents, and the step's workspace.
                unsafe { self.bench.forward(product, extents, operands) }?;
                if let Some(bias) = bias {
                    let count = self.count(c.y);
                    let args = Args::default().with(y).with(self.address(bias));
                    let args = args.with(count as u32).with(int(self.channels(c.y)));
                    // SAFETY: what the kernel takes; the bias has a float a channel of y.
                    unsafe { self.gpu.launch("add_bias", Grid::for_count(count), args) }?;
                }
                statistics.map_or(Ok(()), |found| {
                    self.moments(c.y, scratch, self.address(found))
                })
            }
            ConvPass::Input { add } => {
                let operands = [y, weight, x, scratch];
                // SAFETY: the gradients and the weight of these extents, and the step's scratch.
                unsafe { self.bench.input_gradient(product, extents, operands, add) }
            }
            ConvPass::Weight { bias } => {
                let operands = [x, y, weight, scratch];
                // SAFETY: images and gradients of these extents, and the step's scratch.
                unsafe { self.bench.weight_gradient(product, extents, operands) }?;
                bias.map_or(Ok(()), |bias| self.sums(c.y, scratch, self.address(bias)))
            }
        }
    }

    /// Queues sums over each of the [`chunks`] of the rows of `x` to `scratch`, and tells
    /// how many there are.
    ///
    /// # Safety
    /// The kernel takes x, the sums, rows, channels and the rows of a chunk; `scratch` is
    /// of memory on the card with room for its sums.
    unsafe fn by_chunks(&self, name: &'static str, x: Id, scratch: u64) -> Result<usize> {
        let (rows, channels) = (self.rows(x), self.channels(x));
        let (chunk, chunks) = chunks(rows, channels);
        let args = Args::default().with(self.address(x)).with(scratch);
        let args = args
            .with(rows as u32)
            .with(int(channels))
            .with(chunk as u32);
        // SAFETY: the caller promises that the kernel takes these arguments.
        unsafe { self.gpu.launch(name, columns(channels, chunks), args) }?;
        Ok(chunks)
    }

    /// Queues mean and variance of the channels of `x`, to `found`.
    fn moments(&self, x: Id, scratch: u64, found: u64) -> Result<()> {
        let (rows, channels) = (self.rows(x), self.channels(x));
        // SAFETY: such a kernel; the step's workspace has `moments_room`.
        let chunks = unsafe { self.by_chunks("moments", x, scratch) }?;
        let args = Args::default()
            .with(self.address(x))
            .with(scratch)
            .with(int(chunks));
        let args = args.with(rows as u32).with(int(channels)).with(found);
        let grid = columns(channels, 1);
        // SAFETY: what the kernel takes; `found` has two rows of channels.
        unsafe { self.gpu.launch("moments_merge", grid, args) }
    }

    /// Queues the sum of each channel of `x`, to `to`.
    fn sums(&self, x: Id, scratch: u64, to: u64) -> Result<()> {
        let channels = self.channels(x);
        // SAFETY: such a kernel; the step's workspace has a row of channels a chunk.
        let chunks = unsafe { self.by_chunks("sums", x, scratch) }?;
        let args = Args::default().with(scratch).with(int(chunks));
        let args = args.with(channels as u32).with(to);
        let grid = Grid::for_count(channels);
        // SAFETY: what the kernel takes; `to` has a float a channel.
        unsafe { self.gpu.launch("add_parts", grid, args) }
    }

    /// Makes a grid with a block for each filter of a weight, and counts the filter's
    /// inputs, its elements and those before the middle position.
    fn filters(&self, weight: Id) -> (Grid, i32, i32, i32) {
        let (outputs, inputs, (h, w)) = self.plan.filters(weight);
        let grid = Grid {
            blocks: [outputs, 1, 1],
            threads: [128, 1, 1],
        };
        let center = (h / 2 * w + w / 2) * inputs;
        (grid, int(inputs), int(inputs * h * w), int(center))
    }

    fn loss(&self, logits: Id, gradient: Id) -> Result<()> {
        let (images, memory) = (self.plan.batch, self.memory);
        let args = Args::default()
            .with(self.address(logits))
            .with(memory.labels());
        let args = args.with(self.address(gradient)).with(memory.losses());
        let args = args.with(memory.correct()).with(int(self.channels(logits)));
        let grid = Grid {
            blocks: [images, 1, 1],
            threads: [128, 1, 1],
        };
        let args = args.with(int(self.part.total));
        // SAFETY: what the kernel takes; memory has a label, a loss and a count an image.
        unsafe { self.gpu.launch("cross_entropy", grid, args) }?;
        self.outcome()
    }

    /// Queues the step's outcome, from the images' losses.
    pub fn outcome(&self) -> Result<()> {
        let (images, memory) = (self.plan.batch, self.memory);
        let args = Args::default().with(memory.losses()).with(memory.correct());
        let args = args.with(int(images)).with(int(self.part.total));
        let args = args.with(memory.control.at);
        let args = args.with(memory.outcomes.at);
        // SAFETY: what the kernel takes; memory has a loss and a count an image.
        unsafe { self.gpu.launch("outcome", Grid::for_count(1), args) }
    }
}
