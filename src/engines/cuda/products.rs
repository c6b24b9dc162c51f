//! Convolutions and dense layers: what computes each, by a library where it is there and
//! has a way, else by kernels of our own.

use super::Precision;
use super::blas::{Blas, Dense};
use super::dnn::{Convolution, Dnn, Geometry};
use super::gpu::{Args, Gpu, Grid};
use super::layout::shared;
use super::memory::Memory;
use crate::error::Result;
use crate::plan::{self, Action, Method, Plan, Step, Window};

/// Libraries that were found.
pub struct Libraries {
    /// Library for dense layers.
    pub blas: Option<Blas>,
    /// Library for convolutions.
    pub dnn: Option<Dnn>,
}

/// Means that computes a step.
pub enum Product {
    /// Kernels of our own.
    Own,
    /// cuBLAS.
    Dense(Dense),
    /// cuDNN.
    Convolution(Convolution),
}

shared! {
    /// Convolution by kernels of our own.
    pub struct Conv as "Conv" {
        images: i32,
        in_h: i32,
        in_w: i32,
        in_c: i32,
        out_h: i32,
        out_w: i32,
        out_c: i32,
        kernel_h: i32,
        kernel_w: i32,
        stride: i32,
        padding: i32,
    }
}

/// Extents of a convolution of the plan: what goes in, what comes out, and the windows.
#[derive(Clone, Copy)]
pub struct Extents {
    images: usize,
    inputs: usize,
    outputs: usize,
    window: Window,
}

/// Number of blocks that keep a card busy.
const BLOCKS: usize = 512;
/// Number of rows and of columns of a block's tile in kernels/convolve.cu.
const TILE: usize = 64;

impl Extents {
    /// Returns the extents of a convolution of `plan`.
    pub fn new(plan: &Plan, c: &plan::Convolution) -> Self {
        Extents {
            images: plan.batch,
            inputs: plan.shape(c.x).channels(),
            outputs: plan.shape(c.y).channels(),
            window: c.window,
        }
    }

    /// Counts the elements of the weight.
    pub fn weights(self) -> usize {
        self.outputs * self.terms()
    }

    fn terms(self) -> usize {
        self.window.area() * self.inputs
    }

    fn windows(self) -> usize {
        self.images * self.window.outputs()
    }

    fn geometry(self) -> Geometry {
        let map = |channels, (h, w): (usize, usize)| [self.images, channels, h, w].map(int);
        let (kh, kw) = self.window.kernel;
        Geometry {
            x: map(self.inputs, self.window.input),
            y: map(self.outputs, self.window.output),
            kernel: [int(kh), int(kw)],
            stride: int(self.window.stride),
            padding: int(self.window.padding),
        }
    }

    fn own(self) -> Conv {
        let window = self.window;
        Conv {
            images: int(self.images),
            in_h: int(window.input.0),
            in_w: int(window.input.1),
            in_c: int(self.inputs),
            out_h: int(window.output.0),
            out_w: int(window.output.1),
            out_c: int(self.outputs),
            kernel_h: int(window.kernel.0),
            kernel_w: int(window.kernel.1),
            stride: int(window.stride),
            padding: int(window.padding),
        }
    }

    /// Counts the windows that a layer of blocks sums over in a weight gradient of our
    /// own, and the number of layers.
    fn chunks(self) -> (usize, usize) {
        let tiles = self.outputs.div_ceil(TILE) * self.terms().div_ceil(TILE);
        let wanted = (BLOCKS / tiles.max(1)).max(1);
        let chunk = self.windows().div_ceil(wanted).max(256);
        (chunk, self.windows().div_ceil(chunk))
    }

    /// Counts the floats of scratch memory of a weight gradient of our own.
    pub fn partials(self) -> usize {
        self.chunks().1 * self.weights()
    }
}

/// Converts a size for a kernel; sizes are checked before a plan is run: see
/// [`super::prepare`].
pub fn int(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

impl Product {
    /// Chooses what computes `step`, if it is a convolution.
    pub fn of_step(plan: &Plan, step: &Step, with: &Libraries) -> Option<Product> {
        let Action::Convolve(c) = &step.action else {
            return None;
        };
        let extents = Extents::new(plan, c);
        let by_blas = |_: &Blas| {
            Product::Dense(Dense {
                images: int(extents.images),
                inputs: int(extents.inputs),
                outputs: int(extents.outputs),
            })
        };
        // Where cuDNN has no algorithm for an odd shape, ours has.
        let by_dnn = |dnn: &Dnn| {
            let convolution = dnn.convolution(extents.geometry(), c.pass);
            convolution.ok().map(Product::Convolution)
        };
        let by_library = match c.method {
            Method::Dense => with.blas.as_ref().map(by_blas),
            Method::Winograd | Method::Direct => with.dnn.as_ref().and_then(by_dnn),
        };
        Some(by_library.unwrap_or(Product::Own))
    }

    /// Returns the bytes of a library's scratch memory.
    pub fn workspace(&self) -> usize {
        match self {
            Product::Own | Product::Dense(_) => 0,
            Product::Convolution(convolution) => convolution.workspace,
        }
    }
}

/// Card, libraries and memory that products run with.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The card.
    pub gpu: &'a Gpu,
    /// Libraries that were found.
    pub with: &'a Libraries,
    /// Memory, for a library's scratch.
    pub memory: &'a Memory,
    /// Precision of products.
    pub precision: Precision,
}

impl Bench<'_> {
    /// Converts the weight at `w` as a library wants it; `scratch` has room for it.
    fn weight(&self, w: u64, count: usize, scratch: u64) -> Result<u64> {
        match self.precision {
            Precision::F32 | Precision::Tf32 => Ok(w),
            Precision::Bf16 => {
                let args = Args::default().with(w).with(scratch).with(count as u32);
                // SAFETY: what the kernel takes; the step's workspace has `cast_room`.
                unsafe { self.gpu.launch("to_act", Grid::for_count(count), args) }?;
                Ok(scratch)
            }
        }
    }

    fn dnn(&self, convolution: &Convolution, from: (u64, u64), to: u64, add: bool) -> Result<()> {
        let workspace = self.memory.workspace().at;
        match &self.with.dnn {
            Some(dnn) => dnn.run(convolution, from, to, add, workspace),
            None => Ok(()),
        }
    }

    /// Queues y = x ⋆ w.
    ///
    /// # Errors
    /// If the driver or a library refuses.
    ///
    /// # Safety
    /// The operands are of memory on the card: images and the weight of these extents, and
    /// scratch memory as large as [`super::run::CudaTarget`] asks for.
    pub unsafe fn forward(
        &self,
        product: &Product,
        g: Extents,
        [x, w, y, scratch]: [u64; 4],
    ) -> Result<()> {
        match (product, &self.with.blas) {
            (Product::Dense(dense), Some(blas)) => {
                blas.forward(*dense, x, self.weight(w, g.weights(), scratch)?, y)
            }
            (Product::Convolution(convolution), _) => {
                let w = self.weight(w, g.weights(), scratch)?;
                self.dnn(convolution, (x, w), y, false)
            }
            (Product::Own | Product::Dense(_), _) => {
                let args = Args::default().with(x).with(w).with(y).with(g.own());
                let grid = tiles(g.windows(), g.outputs, 1);
                // SAFETY: what the kernel takes; the buffers are those of the extents.
                unsafe { self.gpu.launch("convolve", grid, args) }
            }
        }
    }

    /// Queues dx from dy and w.
    ///
    /// # Errors
    /// As [`Self::forward`].
    ///
    /// # Safety
    /// As [`Self::forward`].
    pub unsafe fn input_gradient(
        &self,
        product: &Product,
        g: Extents,
        [dy, w, dx, scratch]: [u64; 4],
        add: bool,
    ) -> Result<()> {
        match (product, &self.with.blas) {
            (Product::Dense(dense), Some(blas)) => {
                let w = self.weight(w, g.weights(), scratch)?;
                blas.input_gradient(*dense, dy, w, dx, add)
            }
            (Product::Convolution(convolution), _) => {
                let w = self.weight(w, g.weights(), scratch)?;
                self.dnn(convolution, (dy, w), dx, add)
            }
            (Product::Own | Product::Dense(_), _) => {
                let args = Args::default().with(dy).with(w).with(dx);
                let args = args.with(i32::from(add)).with(g.own());
                let pixels = g.images * g.window.inputs();
                let grid = tiles(pixels, g.inputs, 1);
                // SAFETY: what the kernel takes; the buffers are those of the extents.
                unsafe { self.gpu.launch("convolve_input", grid, args) }
            }
        }
    }

    /// Queues dw from x and dy.
    ///
    /// # Errors
    /// As [`Self::forward`].
    ///
    /// # Safety
    /// As [`Self::forward`].
    pub unsafe fn weight_gradient(
        &self,
        product: &Product,
        g: Extents,
        [x, dy, dw, scratch]: [u64; 4],
    ) -> Result<()> {
        match (product, &self.with.blas) {
            (Product::Dense(dense), Some(blas)) => blas.weight_gradient(*dense, x, dy, dw),
            (Product::Convolution(convolution), _) => match self.precision {
                Precision::F32 | Precision::Tf32 => self.dnn(convolution, (x, dy), dw, false),
                Precision::Bf16 => {
                    self.dnn(convolution, (x, dy), scratch, false)?;
                    let count = g.weights();
                    let args = Args::default().with(scratch).with(dw).with(count as u32);
                    // SAFETY: what the kernel takes; both have the weight's elements.
                    unsafe { self.gpu.launch("from_act", Grid::for_count(count), args) }
                }
            },
            (Product::Own | Product::Dense(_), _) => {
                let (chunk, chunks) = g.chunks();
                let args = Args::default().with(x).with(dy).with(scratch);
                let args = args.with(chunk as u32).with(g.own());
                let grid = tiles(g.outputs, g.terms(), chunks);
                // SAFETY: what the kernel takes; the step's workspace has `partials`.
                unsafe { self.gpu.launch("convolve_weight", grid, args) }?;
                let args = Args::default().with(scratch).with(int(chunks));
                let args = args.with(g.weights() as u32).with(dw);
                let grid = Grid::for_count(g.weights());
                // SAFETY: what the kernel takes; the gradient has the weight's elements.
                unsafe { self.gpu.launch("add_parts", grid, args) }
            }
        }
    }
}

/// Makes a grid with a block for each tile of a product of `rows × columns`, in so many
/// layers.
fn tiles(rows: usize, columns: usize, layers: usize) -> Grid {
    Grid {
        blocks: [rows.div_ceil(TILE), columns.div_ceil(TILE), layers],
        threads: [256, 1, 1],
    }
}

/// Counts the floats that hold a weight of `shape`'s elements in any type.
pub fn cast_room(extents: Extents, precision: Precision) -> usize {
    match precision {
        Precision::F32 | Precision::Tf32 => 0,
        Precision::Bf16 => extents.weights().div_ceil(2),
    }
}
