//! Runs the steps of a plan: each action as launches of kernels.

use super::Precision;
use super::exchange::Part;
use super::gpu::{Args, Gpu, Grid};
use super::layout::shared;
use super::memory::Memory;
use super::pass::{self, PassKernels};
use super::products::{Bench, Extents, Product, cast_room, int};
use crate::engines::random::Purpose;
use crate::error::Result;
use crate::plan::{self, Action, Convolve, Id, Plan, Step, Window};
use crate::random::fnv1a;

/// What the plan must know of this engine.
#[derive(Clone, Copy)]
pub struct CudaTarget {
    /// How numbers are multiplied.
    pub precision: Precision,
}

impl plan::Target for CudaTarget {
    fn lanes(&self) -> usize {
        1
    }

    fn workspace(&self, plan: &Plan, action: &Action) -> usize {
        let channels = |id| plan.shape(id).channels();
        let rows = |id| plan.batch * plan.shape(id).positions();
        match action {
            Action::Convolve(c) => {
                let extents = Extents::new(plan, c.x, c.y, c.window);
                let moments = c
                    .statistics
                    .map_or(0, |_| moments_room(rows(c.y), channels(c.y)));
                cast_room(extents, self.precision).max(moments)
            }
            Action::ConvolveInput { dy, dx, window, .. } => {
                cast_room(Extents::new(plan, dx.to, *dy, *window), self.precision)
            }
            Action::ConvolveWeight {
                x,
                dy,
                window,
                dbias,
                ..
            } => {
                let extents = Extents::new(plan, *x, *dy, *window);
                let (_, chunks) = chunks(rows(*dy), channels(*dy));
                let bias = dbias.map_or(0, |_| chunks * channels(*dy));
                extents
                    .partials()
                    .max(cast_room(extents, self.precision))
                    .max(bias)
            }
            Action::Statistics { x, .. } => moments_room(rows(*x), channels(*x)),
            Action::PointwiseGradient(g) => pass::room(plan, g),
            Action::Pointwise(_)
            | Action::Dirac { .. }
            | Action::DiracGradient { .. }
            | Action::Crelu { .. }
            | Action::CreluGradient { .. }
            | Action::Concat { .. }
            | Action::ConcatGradient { .. }
            | Action::MaxPool { .. }
            | Action::MaxPoolGradient { .. }
            | Action::AvgPool { .. }
            | Action::AvgPoolGradient { .. }
            | Action::Subsample { .. }
            | Action::SubsampleGradient { .. }
            | Action::Flatten { .. }
            | Action::FlattenGradient { .. }
            | Action::Mask { .. }
            | Action::Multiply { .. }
            | Action::Add { .. }
            | Action::Loss { .. }
            | Action::Sgd { .. }
            | Action::MoveStatistics { .. } => 0,
        }
    }
}

fn moments_room(rows: usize, channels: usize) -> usize {
    2 * chunks(rows, channels).1 * channels
}

/// Rows that a block sums over, and how many blocks it takes for all of them, where a
/// block has 32 channels. The same on every card, so that the bits are.
pub fn chunks(rows: usize, channels: usize) -> (usize, usize) {
    let wanted = (1024 / channels.div_ceil(32).max(1)).max(1);
    let chunk = rows.div_ceil(wanted).max(32);
    (chunk, rows.div_ceil(chunk))
}

/// Blocks of 32 × 8 threads, so many for the channels and for the chunks of rows.
pub fn columns(channels: usize, chunks: usize) -> Grid {
    Grid {
        blocks: [channels.div_ceil(32), chunks, 1],
        threads: [32, 8, 1],
    }
}

shared! {
    /// Windows that slide over an image.
    pub struct Windows as "Windows" {
        in_h: i32,
        in_w: i32,
        out_h: i32,
        out_w: i32,
        kernel_h: i32,
        kernel_w: i32,
        stride: i32,
        channels: i32,
        count: u32,
    }
}

/// A kernel to be queued.
type Launch = (&'static str, Grid, Args);

/// A plan on a card.
pub struct Run<'a> {
    /// The card.
    pub gpu: &'a Gpu,
    /// Its memory.
    pub memory: &'a Memory,
    /// The plan.
    pub plan: &'a Plan,
    /// The images that it is for.
    pub part: Part,
    /// Kernels of passes.
    pub passes: &'a PassKernels,
    /// Convolutions and dense layers.
    pub bench: Bench<'a>,
}

impl Run<'_> {
    pub(super) fn address(&self, id: Id) -> u64 {
        self.memory.address(self.plan, id)
    }

    pub(super) fn channels(&self, id: Id) -> usize {
        self.plan.shape(id).channels()
    }

    pub(super) fn positions(&self, id: Id) -> usize {
        self.plan.shape(id).positions()
    }

    pub(super) fn rows(&self, id: Id) -> usize {
        self.plan.batch * self.positions(id)
    }

    pub(super) fn count(&self, id: Id) -> usize {
        self.rows(id) * self.channels(id)
    }

    fn scratch(&self, step: &Step) -> u64 {
        step.workspace.map_or(0, |id| self.address(id))
    }

    /// A thread for each element of `id`; its count is the last argument.
    fn each(&self, name: &'static str, id: Id, args: Args) -> Launch {
        let count = self.count(id);
        (name, Grid::for_count(count), args.with(count as u32))
    }

    /// Queues a step; what moves tensors in the end is left to [`super::update`].
    pub fn step(&self, step: &Step, product: Option<&Product>) -> Result<()> {
        let at = |id: &Id| self.address(*id);
        let channels = |id: &Id| int(self.channels(*id));
        let positions = |id: &Id| int(self.positions(*id));
        let args = Args::default;
        let product = product.unwrap_or(&Product::Own);
        let (name, grid, args) = match &step.action {
            Action::Convolve(c) => return self.convolve(c, step, product),
            Action::ConvolveInput {
                dy,
                weight,
                dx,
                window,
            } => {
                let extents = Extents::new(self.plan, dx.to, *dy, *window);
                let operands = [at(dy), at(weight), at(&dx.to), self.scratch(step)];
                return self
                    .bench
                    .input_gradient(product, extents, operands, dx.add);
            }
            Action::ConvolveWeight {
                x,
                dy,
                dweight,
                dbias,
                window,
            } => {
                let extents = Extents::new(self.plan, *x, *dy, *window);
                let scratch = self.scratch(step);
                let operands = [at(x), at(dy), at(dweight), scratch];
                self.bench.weight_gradient(product, extents, operands)?;
                return dbias.map_or(Ok(()), |dbias| self.sums(*dy, scratch, at(&dbias)));
            }
            Action::Dirac { weight, a, b, y } => {
                let (grid, inputs, length, center) = self.filters(*weight);
                let args = args().with(at(weight)).with(at(a)).with(at(b)).with(at(y));
                let args = args.with(inputs).with(length).with(center);
                ("dirac", grid, args)
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
                let args = args().with(at(weight)).with(at(b)).with(at(dy));
                let args = args.with(at(dweight)).with(at(da)).with(at(db));
                let args = args.with(inputs).with(length).with(center);
                ("dirac_gradient", grid, args)
            }
            Action::Statistics { x, y } => return self.moments(*x, self.scratch(step), at(y)),
            Action::Pointwise(p) => return pass::forward(self, p),
            Action::PointwiseGradient(g) => return pass::backward(self, g, self.scratch(step)),
            Action::Crelu { x, y } => self.each(
                "crelu",
                *y,
                args().with(at(x)).with(at(y)).with(channels(x)),
            ),
            Action::CreluGradient { x, dy, dx } => {
                let args = args().with(at(x)).with(at(dy)).with(at(&dx.to));
                let args = args.with(i32::from(dx.add)).with(channels(x));
                self.each("crelu_gradient", dx.to, args)
            }
            Action::Concat { a, b, y } => {
                let args = args().with(at(a)).with(at(b)).with(at(y));
                self.each("concat", *y, args.with(channels(a)).with(channels(b)))
            }
            Action::ConcatGradient { dy, from, dx } => {
                let args = args().with(at(dy)).with(at(&dx.to)).with(i32::from(dx.add));
                let args = args
                    .with(int(*from))
                    .with(channels(&dx.to))
                    .with(channels(dy));
                self.each("concat_gradient", dx.to, args)
            }
            Action::MaxPool { x, y, window } => {
                let args = args().with(at(x)).with(at(y));
                self.pool("max_pool", args, *window, *y)
            }
            Action::MaxPoolGradient { x, dy, dx, window } => {
                let args = args().with(at(x)).with(at(dy)).with(at(&dx.to));
                let args = args.with(i32::from(dx.add));
                self.pool("max_pool_gradient", args, *window, dx.to)
            }
            Action::AvgPool { x, y, window } => {
                let args = args().with(at(x)).with(at(y));
                self.pool("avg_pool", args, *window, *y)
            }
            Action::AvgPoolGradient { dy, dx, window } => {
                let args = args().with(at(dy)).with(at(&dx.to)).with(i32::from(dx.add));
                self.pool("avg_pool_gradient", args, *window, dx.to)
            }
            Action::Subsample { x, y, stride } => {
                let args = args().with(at(x)).with(at(y));
                self.each(
                    "subsample",
                    *y,
                    self.images(args, *x, *y).with(int(*stride)),
                )
            }
            Action::SubsampleGradient { dy, dx, stride } => {
                let args = args().with(at(dy)).with(at(&dx.to)).with(i32::from(dx.add));
                let args = self.images(args, dx.to, *dy).with(int(*stride));
                self.each("subsample_gradient", dx.to, args)
            }
            Action::Flatten { x, y } => {
                let args = args().with(at(x)).with(at(y));
                self.each("flatten", *y, args.with(channels(x)).with(positions(x)))
            }
            Action::FlattenGradient { dy, dx } => {
                let args = args().with(at(dy)).with(at(&dx.to)).with(i32::from(dx.add));
                let args = args.with(channels(&dx.to)).with(positions(&dx.to));
                self.each("flatten_gradient", dx.to, args)
            }
            Action::Mask { y, p } => self.mask(*y, *p, &step.path),
            Action::Multiply { x, m, y } => {
                let args = args().with(at(x)).with(at(m)).with(at(&y.to));
                self.each("multiply", y.to, args.with(i32::from(y.add)))
            }
            Action::Add { x, y } => self.each("add", *y, args().with(at(x)).with(at(y))),
            Action::Loss { logits, gradient } => return self.loss(*logits, *gradient),
            Action::Sgd { .. } | Action::MoveStatistics { .. } => return Ok(()),
        };
        // SAFETY: each arm lists what its kernel takes; the plan's buffers are as large as
        // their shapes, of which the sizes among the arguments are.
        unsafe { self.gpu.launch(name, grid, args) }
    }

    fn convolve(&self, c: &Convolve, step: &Step, product: &Product) -> Result<()> {
        let extents = Extents::new(self.plan, c.x, c.y, c.window);
        let scratch = self.scratch(step);
        let operands = [
            self.address(c.x),
            self.address(c.weight),
            self.address(c.y),
            scratch,
        ];
        self.bench.forward(product, extents, operands)?;
        if let Some(bias) = c.bias {
            let count = self.count(c.y);
            let args = Args::default()
                .with(self.address(c.y))
                .with(self.address(bias));
            let args = args.with(count as u32).with(int(self.channels(c.y)));
            // SAFETY: what the kernel takes; the bias has a float a channel of y.
            unsafe { self.gpu.launch("add_bias", Grid::for_count(count), args) }?;
        }
        c.statistics.map_or(Ok(()), |found| {
            self.moments(c.y, scratch, self.address(found))
        })
    }

    /// Sums over each of the [`chunks`] of the rows of `x`, to `scratch`; how many.
    ///
    /// # Safety
    /// The kernel takes x, the sums, rows, channels and the rows of a chunk; `scratch` is of
    /// memory on the card with room for its sums.
    unsafe fn by_chunks(&self, name: &'static str, x: Id, scratch: u64) -> Result<usize> {
        let (rows, channels) = (self.rows(x), self.channels(x));
        let (chunk, chunks) = chunks(rows, channels);
        let args = Args::default().with(self.address(x)).with(scratch);
        let args = args
            .with(rows as u32)
            .with(int(channels))
            .with(chunk as u32);
        // SAFETY: the caller's.
        unsafe { self.gpu.launch(name, columns(channels, chunks), args) }?;
        Ok(chunks)
    }

    /// Mean and variance of the channels of `x`, to `found`.
    fn moments(&self, x: Id, scratch: u64, found: u64) -> Result<()> {
        let (rows, channels) = (self.rows(x), self.channels(x));
        // SAFETY: such a kernel; the step's workspace has `moments_room`.
        let chunks = unsafe { self.by_chunks("moments", x, scratch) }?;
        let args = Args::default()
            .with(self.address(x))
            .with(scratch)
            .with(int(chunks));
        let args = args.with(rows as u32).with(int(channels)).with(found);
        // SAFETY: what the kernel takes; `found` has two rows of channels.
        unsafe { self.gpu.launch("moments_merge", columns(channels, 1), args) }
    }

    /// The sum of each channel of `x`, to `to`.
    fn sums(&self, x: Id, scratch: u64, to: u64) -> Result<()> {
        let channels = self.channels(x);
        // SAFETY: such a kernel; the step's workspace has a row of channels a chunk.
        let chunks = unsafe { self.by_chunks("sums", x, scratch) }?;
        let args = Args::default().with(scratch).with(int(chunks));
        let args = args.with(channels as u32).with(to);
        // SAFETY: what the kernel takes; `to` has a float a channel.
        unsafe {
            self.gpu
                .launch("add_parts", Grid::for_count(channels), args)
        }
    }

    /// A block for each filter of a weight; its inputs, elements and first element in
    /// the middle position.
    fn filters(&self, weight: Id) -> (Grid, i32, i32, i32) {
        let (outputs, inputs, (h, w)) = self.plan.filters(weight);
        let grid = Grid {
            blocks: [outputs, 1, 1],
            threads: [128, 1, 1],
        };
        let center = (h / 2 * w + w / 2) * inputs;
        (grid, int(inputs), int(inputs * h * w), int(center))
    }

    /// `id` is what is written.
    fn pool(&self, name: &'static str, args: Args, window: Window, id: Id) -> Launch {
        let count = self.count(id);
        let windows = Windows {
            in_h: int(window.input.0),
            in_w: int(window.input.1),
            out_h: int(window.output.0),
            out_w: int(window.output.1),
            kernel_h: int(window.kernel.0),
            kernel_w: int(window.kernel.1),
            stride: int(window.stride),
            channels: int(self.channels(id)),
            count: count as u32,
        };
        (name, Grid::for_count(count), args.with(windows))
    }

    /// Rows, columns and channels of two images.
    fn images(&self, args: Args, x: Id, y: Id) -> Args {
        let of = |args: Args, id: Id| {
            let (channels, (height, width)) = (self.channels(id), self.plan.shape(id).extent());
            args.with(int(height)).with(int(width)).with(int(channels))
        };
        of(of(args, x), y)
    }

    fn mask(&self, y: Id, p: f64, path: &str) -> Launch {
        let count = self.count(y);
        let purpose = u64::from_le_bytes(Purpose::Dropout.word());
        let kept = (1.0 / (1.0 - p)) as f32;
        let args = Args::default()
            .with(self.memory.control.at)
            .with(self.address(y));
        let args = args.with(purpose).with(fnv1a(path)).with(p).with(kept);
        let args = args
            .with(int(self.channels(y)))
            .with(int(self.positions(y)));
        let each = self.channels(y) * self.positions(y);
        let first = self.part.first * each;
        let args = args.with(first as u64).with(count as u32);
        let grid = Grid::for_count((first % 8 + count).div_ceil(8));
        ("mask", grid, args)
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

    /// The step's outcome, from the images' losses.
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
