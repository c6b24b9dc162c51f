//! Convolutions and dense layers: what computes each, by a library where it is there and
//! has a way, else by kernels of our own.

use super::Precision;
use super::blas::{Blas, Dense};
use super::dnn::{Convolution, Dnn, Geometry};
use super::gpu::{Args, Gpu, Grid};
use super::memory::Memory;
use crate::error::Result;
use crate::plan::{self, Action, Method, Plan, Step, Window};

/// The libraries that were found.
pub struct Libraries {
    /// For dense layers.
    pub blas: Option<Blas>,
    /// For convolutions.
    pub dnn: Option<Dnn>,
}

/// What computes a step.
pub enum Product {
    /// Kernels of our own.
    Own,
    /// cuBLAS.
    Dense(Dense),
    /// cuDNN.
    Convolution(Convolution),
}

/// `Conv` in kernels/convolve.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct Conv {
    images: i32,
    input: [i32; 3],
    output: [i32; 3],
    kernel: [i32; 2],
    stride: i32,
    padding: i32,
}

/// A convolution of the plan: what goes in, what comes out, and the windows.
#[derive(Clone, Copy)]
pub struct Extents {
    images: usize,
    inputs: usize,
    outputs: usize,
    window: Window,
}

/// Blocks that keep a card busy.
const BLOCKS: usize = 512;
/// Rows and columns of a block's tile in kernels/convolve.cu.
const TILE: usize = 64;

impl Extents {
    /// Those of a convolution of `plan`.
    pub fn new(plan: &Plan, c: &plan::Convolution) -> Self {
        Extents {
            images: plan.batch,
            inputs: plan.shape(c.x).channels(),
            outputs: plan.shape(c.y).channels(),
            window: c.window,
        }
    }

    /// Elements of the weight.
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
        let map = |channels, (h, w): (usize, usize)| [h, w, channels].map(int);
        let (kh, kw) = self.window.kernel;
        Conv {
            images: int(self.images),
            input: map(self.inputs, self.window.input),
            output: map(self.outputs, self.window.output),
            kernel: [int(kh), int(kw)],
            stride: int(self.window.stride),
            padding: int(self.window.padding),
        }
    }

    /// Windows that a layer of blocks sums over in a weight gradient of our own, and the
    /// number of layers.
    fn chunks(self) -> (usize, usize) {
        let tiles = self.outputs.div_ceil(TILE) * self.terms().div_ceil(TILE);
        let wanted = (BLOCKS / tiles.max(1)).max(1);
        let chunk = self.windows().div_ceil(wanted).max(256);
        (chunk, self.windows().div_ceil(chunk))
    }

    /// Floats of scratch memory of a weight gradient of our own.
    pub fn partials(self) -> usize {
        self.chunks().1 * self.weights()
    }
}

/// Sizes are checked before a plan is run: see [`super::prepare`].
pub fn int(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

impl Product {
    /// What is to compute `step`, if it is a convolution.
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

    /// Bytes of a library's scratch memory.
    pub fn workspace(&self) -> usize {
        match self {
            Product::Own | Product::Dense(_) => 0,
            Product::Convolution(convolution) => convolution.workspace,
        }
    }
}

/// What products run with.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The card.
    pub gpu: &'a Gpu,
    /// Libraries.
    pub with: &'a Libraries,
    /// For a library's scratch memory.
    pub memory: &'a Memory,
    /// How numbers are multiplied.
    pub precision: Precision,
}

impl Bench<'_> {
    /// The weight at `w` as a library wants it; `scratch` has room for it.
    fn weight(&self, w: u64, count: usize, scratch: u64) -> Result<u64> {
        match self.precision {
            Precision::F32 | Precision::Tf32 => Ok(w),
            Precision::Bf16 => {
                let args = Args::default().with(w).with(scratch).with(count as u32);
                self.gpu.launch("to_act", Grid::for_count(count), args)?;
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

    /// y = x ⋆ w.
    pub fn forward(&self, by: &Product, g: Extents, [x, w, y, scratch]: [u64; 4]) -> Result<()> {
        match (by, &self.with.blas) {
            (Product::Dense(dense), Some(blas)) => {
                blas.forward(*dense, x, self.weight(w, g.weights(), scratch)?, y)
            }
            (Product::Convolution(convolution), _) => {
                let w = self.weight(w, g.weights(), scratch)?;
                self.dnn(convolution, (x, w), y, false)
            }
            (Product::Own | Product::Dense(_), _) => {
                let args = Args::default().with(x).with(w).with(y).with(g.own());
                self.gpu
                    .launch("convolve", tiles(g.windows(), g.outputs, 1), args)
            }
        }
    }

    /// dx from dy and w.
    pub fn input_gradient(
        &self,
        by: &Product,
        g: Extents,
        [dy, w, dx, scratch]: [u64; 4],
        add: bool,
    ) -> Result<()> {
        match (by, &self.with.blas) {
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
                self.gpu
                    .launch("convolve_input", tiles(pixels, g.inputs, 1), args)
            }
        }
    }

    /// dw from x and dy.
    pub fn weight_gradient(
        &self,
        by: &Product,
        g: Extents,
        [x, dy, dw, scratch]: [u64; 4],
    ) -> Result<()> {
        match (by, &self.with.blas) {
            (Product::Dense(dense), Some(blas)) => blas.weight_gradient(*dense, x, dy, dw),
            (Product::Convolution(convolution), _) => match self.precision {
                Precision::F32 | Precision::Tf32 => self.dnn(convolution, (x, dy), dw, false),
                Precision::Bf16 => {
                    self.dnn(convolution, (x, dy), scratch, false)?;
                    let count = g.weights();
                    let args = Args::default().with(scratch).with(dw).with(count as u32);
                    self.gpu.launch("from_act", Grid::for_count(count), args)
                }
            },
            (Product::Own | Product::Dense(_), _) => {
                let (chunk, chunks) = g.chunks();
                let args = Args::default().with(x).with(dy).with(scratch);
                let args = args.with(chunk as u32).with(g.own());
                let grid = tiles(g.outputs, g.terms(), chunks);
                self.gpu.launch("convolve_weight", grid, args)?;
                let args = Args::default().with(scratch).with(int(chunks));
                let args = args.with(g.weights() as u32).with(dw);
                self.gpu
                    .launch("add_parts", Grid::for_count(g.weights()), args)
            }
        }
    }
}

/// A block for each tile of a product of `rows × columns`, in so many layers.
fn tiles(rows: usize, columns: usize, layers: usize) -> Grid {
    Grid {
        blocks: [rows.div_ceil(TILE), columns.div_ceil(TILE), layers],
        threads: [256, 1, 1],
    }
}

/// Floats that hold a weight of `shape`'s elements in any type.
pub fn cast_room(extents: Extents, precision: Precision) -> usize {
    match precision {
        Precision::F32 | Precision::Tf32 => 0,
        Precision::Bf16 => extents.weights().div_ceil(2),
    }
}
