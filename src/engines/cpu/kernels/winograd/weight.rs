//! Gradient of a 3×3 weight by Winograd's method: `dw = Gᵀ [Σ over tiles of (A dy Aᵀ) ⊙ (Bᵀ x
//! B)] G`.

use super::super::gemm::{Left, Out, Right, outer_product};
use super::super::pool::Pool;
use super::super::shared::Shared;
use super::super::simd::Isa;
use super::super::weights::WeightShape;
use super::super::{ConvGeometry, LANES};
use super::filter::{SPARE_LEN, Values, add_groups, gradient_block};
use super::tiles::{Tiles, transform_gradients, transform_tiles};
use super::tiling::{Tiling, plane_len};
use super::transform::Phase;

/// Number of tiles that one part transforms.
const TRANSFORMED: usize = 4;
/// Largest chunk of tiles with few channels: its values at one point stay in cache.
const NARROW_CHUNK: usize = 128;
/// Largest chunk of tiles with many channels.
const WIDE_CHUNK: usize = 512;
/// Outputs, in lines of sixteen, of a part that sums all points; with [`LINES`] lines of
/// inputs, its sums are 295 kB.
const OUT_PIECE: usize = 2;
/// Lines of inputs, over all phases, of a part that sums all points.
const LINES: usize = 4;
/// Floats of sums that stay in a second-level cache of 1 MB beside a chunk of tiles.
const CACHED: usize = 160 * 1024;
/// Lines of such a chunk: those of all its tiles, of both operands.
const GROUP_LINES: usize = 128;
/// Least number of tiles in a group.
const GROUP: usize = 64;
/// Largest number of groups.
const GROUPS: usize = 16;

/// Division of the work into parts.
#[derive(Clone, Copy)]
enum Cut {
    /// Cut by groups: each part takes a whole group of tiles, and has sums of its own.
    Groups(usize),
    /// Cut by points: tiles are transformed chunk by chunk, and each part sums one phase
    /// of a point.
    Points,
    /// Cut by channels: tiles are one chunk, and each part sums all points of some channels.
    Channels,
}

struct Plan {
    tiling: Tiling,
    cut: Cut,
    /// Number of tiles in a chunk.
    chunk: usize,
}

impl Plan {
    fn new(g: &ConvGeometry) -> Plan {
        let tiling = Tiling::forward(g);
        let total = tiling.total.max(1);
        let groups = (total / GROUP).min(GROUPS);
        let mut plan = Plan {
            tiling,
            cut: Cut::Groups(groups),
            chunk: 0,
        };
        let lines = plan.ins() + tiling.out_lines();
        plan.chunk = (GROUP_LINES / lines).clamp(8, GROUP);
        if groups < GROUPS / 2 || plan.sums_len() > CACHED {
            let narrow = tiling.is_narrow();
            let most = if narrow { NARROW_CHUNK } else { WIDE_CHUNK };
            let chunks = total.div_ceil(most);
            plan.chunk = total.div_ceil(chunks);
            plan.cut = match !narrow && chunks == 1 {
                true => Cut::Channels,
                false => Cut::Points,
            };
        }
        plan
    }

    /// Lines of inputs in a plane, over all phases.
    fn ins(&self) -> usize {
        self.tiling.phases().len() * self.tiling.in_lines()
    }

    /// Inputs, in lines of sixteen, of a part that sums all points.
    fn in_piece(&self) -> usize {
        LINES / self.tiling.phases().len()
    }

    /// Floats of the sums of all channels at all points.
    fn sums_len(&self) -> usize {
        self.tiling.points() * plane_len(self.tiling.out_lines(), self.ins() * LANES)
    }

    /// Floats of a chunk's tiles of inputs, and of output gradients.
    fn tiles_lens(&self) -> [usize; 2] {
        let lines = [self.ins(), self.tiling.out_lines()];
        lines.map(|lines| self.tiling.points() * plane_len(lines, self.chunk))
    }

    /// Floats of shared scratch: tiles and sums.
    fn shared_lens(&self) -> [usize; 2] {
        let tiles = self.tiles_lens().iter().sum();
        match self.cut {
            Cut::Groups(groups) => [0, groups * self.sums_len()],
            Cut::Points => [tiles, self.sums_len()],
            Cut::Channels => [tiles, 0],
        }
    }

    /// Floats of a thread's scratch: tiles or sums, and spare blocks.
    fn thread_lens(&self) -> [usize; 2] {
        let own = match self.cut {
            Cut::Groups(_) => self.tiles_lens().iter().sum(),
            Cut::Points => 0,
            Cut::Channels => self.tiling.points() * plane_len(OUT_PIECE, LINES * LANES),
        };
        [own, SPARE_LEN]
    }
}

/// Floats of scratch that [`weight_gradient`] needs.
pub fn weight_gradient_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    let plan = Plan::new(g);
    plan.shared_lens().iter().sum::<usize>() + threads * plan.thread_lens().iter().sum::<usize>()
}

/// Computes `dw = ∂C/∂w` (`O×I×3×3`) from `x` `[N][H][W][I]` and `dy = ∂C/∂y`
/// `[N][H'][W'][O]`: `dw[t] = Σ x[i·s + t − p]·dy[i]`.
pub fn weight_gradient(
    pool: &Pool,
    g: &ConvGeometry,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    scratch: &mut [f32],
) {
    assert!(x.len() >= g.input_len() && dw.len() >= g.weight_len() && dy.len() >= g.output_len());
    let plan = Plan::new(g);
    let [tiles, sums] = plan.shared_lens();
    let (tiles, rest) = scratch.split_at_mut(tiles);
    let (sums, threads) = rest.split_at_mut(sums);
    let thread_len: usize = plan.thread_lens().iter().sum();
    assert!(
        threads.len() >= thread_len * pool.threads(),
        "too little scratch"
    );
    let pass = FilterPass {
        plan: &plan,
        isa: pool.isa(),
        x,
        dy,
        dw: Shared::new(dw),
        tiles: Shared::new(tiles),
        sums: Shared::new(sums),
        threads: Shared::new(threads),
    };
    if let Cut::Groups(groups) = plan.cut {
        pass.groups(pool, groups);
        return pass.finish(pool, groups);
    }
    for first in (0..plan.tiling.total).step_by(plan.chunk) {
        let count = plan.chunk.min(plan.tiling.total - first);
        pass.transform(pool, first, count);
        match plan.cut {
            Cut::Channels => pass.all_points(pool, count),
            Cut::Points | Cut::Groups(_) => pass.one_point(pool, count, first > 0),
        }
    }
    if let Cut::Points = plan.cut {
        pass.finish(pool, 1);
    }
}

struct FilterPass<'a> {
    plan: &'a Plan,
    isa: Isa,
    x: &'a [f32],
    dy: &'a [f32],
    dw: Shared<'a>,
    tiles: Shared<'a>,
    sums: Shared<'a>,
    threads: Shared<'a>,
}

/// Transformed tiles `first..first + count` of both operands.
#[derive(Clone, Copy)]
struct Chunk {
    first: usize,
    count: usize,
    inputs: *mut f32,
    gradients: *mut f32,
}

impl FilterPass<'_> {
    /// Scratch of one thread: tiles or sums, and spare blocks.
    ///
    /// # Safety
    /// Only that thread uses the result.
    unsafe fn thread_scratch(&self, thread: usize) -> [*mut f32; 2] {
        let [own, spare] = self.plan.thread_lens();
        let total = own + spare;
        // SAFETY: a thread's own range.
        unsafe {
            let start = self.threads.range(thread * total, total).as_mut_ptr();
            [start, start.add(own)]
        }
    }

    /// A chunk whose tiles of inputs, then of gradients, begin at `start`.
    fn chunk(&self, start: *mut f32, first: usize, count: usize) -> Chunk {
        Chunk {
            first,
            count,
            inputs: start,
            gradients: start.wrapping_add(self.plan.tiles_lens()[0]),
        }
    }

    fn shape(&self) -> WeightShape {
        let t = &self.plan.tiling;
        WeightShape {
            out_channels: t.out_channels,
            in_channels: t.in_channels,
            taps: 9,
        }
    }

    /// Transforms `some` tiles of a chunk, from tile `skip` on.
    ///
    /// # Safety
    /// No other thread touches these tiles.
    unsafe fn transform_tiles(&self, chunk: Chunk, skip: usize, some: usize) {
        let t = &self.plan.tiling;
        // SAFETY: the caller's tiles.
        unsafe {
            let mut inputs = Tiles {
                first: chunk.first + skip,
                count: some,
                start: chunk.inputs.add(skip * LANES),
                places: chunk.count,
                plane: plane_len(self.plan.ins(), chunk.count),
            };
            let gradients = Tiles {
                start: chunk.gradients.add(skip * LANES),
                plane: plane_len(t.out_lines(), chunk.count),
                ..inputs
            };
            for &phase in t.phases() {
                transform_tiles(self.isa, *t, phase, self.x.as_ptr(), inputs);
                inputs.start = inputs.start.add(t.in_lines() * chunk.count * LANES);
            }
            for &phase in Phase::full(t.stride) {
                transform_gradients(self.isa, *t, phase, self.dy.as_ptr(), gradients);
            }
        }
    }

    /// Transforms a chunk of tiles that all threads use.
    fn transform(&self, pool: &Pool, first: usize, count: usize) {
        pool.parts(count.div_ceil(TRANSFORMED), |_, part| {
            let skip = part * TRANSFORMED;
            let chunk = self.chunk(self.tiles.start(), first, count);
            // SAFETY: every part writes its own tiles.
            unsafe { self.transform_tiles(chunk, skip, TRANSFORMED.min(count - skip)) };
        });
    }

    /// Multiplies a line of inputs by `width` blocks of outputs from `o` on, at `point`.
    ///
    /// # Safety
    /// No thread writes the tiles, and no other thread touches `out`.
    unsafe fn multiply(
        &self,
        chunk: Chunk,
        (point, line): (usize, usize),
        (o, width): (usize, usize),
        out: Out,
        accumulate: bool,
    ) {
        let in_plane = plane_len(self.plan.ins(), chunk.count);
        let out_plane = plane_len(self.plan.tiling.out_lines(), chunk.count);
        let inputs = point * in_plane + line * chunk.count * LANES;
        let gradients = point * out_plane + o * chunk.count * LANES;
        // SAFETY: tiles that nobody writes now; `out` is the caller's.
        unsafe {
            let left = Left {
                start: chunk.inputs.add(inputs),
                row: LANES,
                line: 0,
                rows: LANES,
                depth: chunk.count,
            };
            let right = Right {
                start: chunk.gradients.add(gradients),
                block: chunk.count * LANES,
                blocks: width,
            };
            outer_product(self.isa, left, right, LANES, out, accumulate);
        }
    }

    /// Multiplies all channels of one phase at a point, and adds the products to `sums`.
    ///
    /// # Safety
    /// No thread writes the tiles, and no other thread touches these sums.
    unsafe fn point(
        &self,
        chunk: Chunk,
        (point, phase): (usize, usize),
        sums: *mut f32,
        accumulate: bool,
    ) {
        let t = &self.plan.tiling;
        let rows = self.plan.ins() * LANES;
        let plane = plane_len(t.out_lines(), rows);
        for line in phase * t.in_lines()..(phase + 1) * t.in_lines() {
            // SAFETY: the caller's tiles and sums.
            unsafe {
                let out = Out {
                    start: sums.add(point * plane + line * LANES * LANES),
                    row: LANES,
                    block: rows * LANES,
                };
                let all = (0, t.out_lines());
                self.multiply(chunk, (point, line), all, out, accumulate);
            }
        }
    }

    /// Sums the products at all points; each part takes one phase of a point.
    fn one_point(&self, pool: &Pool, count: usize, accumulate: bool) {
        let t = &self.plan.tiling;
        let phases = t.phases().len();
        pool.parts(t.points() * phases, |_, part| {
            let (point, phase) = (part / phases, part % phases);
            let [some, _] = t.phases_at(point);
            if some.contains(&phase) {
                let chunk = self.chunk(self.tiles.start(), 0, count);
                let sums = self.sums.start();
                // SAFETY: every part writes its own lines of its own plane.
                unsafe { self.point(chunk, (point, phase), sums, accumulate) };
            }
        });
    }

    /// Sums the products of groups of tiles; each part takes one group, chunk by chunk.
    fn groups(&self, pool: &Pool, groups: usize) {
        let t = &self.plan.tiling;
        pool.parts(groups, |thread, part| {
            let first = part * t.total / groups;
            let tiles = (part + 1) * t.total / groups - first;
            let chunks = tiles.div_ceil(self.plan.chunk);
            for chunk in 0..chunks {
                let skip = chunk * tiles / chunks;
                let count = (chunk + 1) * tiles / chunks - skip;
                // SAFETY: own scratch, and the sums of this group.
                unsafe {
                    let [start, _] = self.thread_scratch(thread);
                    let sums = self.sums.start().add(part * self.plan.sums_len());
                    let tiles = self.chunk(start, first + skip, count);
                    self.transform_tiles(tiles, 0, count);
                    for point in 0..t.points() {
                        let [phases, _] = t.phases_at(point);
                        for phase in phases {
                            self.point(tiles, (point, phase), sums, chunk > 0);
                        }
                    }
                }
            }
        });
    }

    /// Adds up the sums of all groups and transforms them to the weight's gradient.
    fn finish(&self, pool: &Pool, groups: usize) {
        let t = &self.plan.tiling;
        let rows = self.plan.ins() * LANES;
        pool.parts(t.out_lines() * t.in_lines(), |thread, part| {
            let (o, i) = (part / t.in_lines(), part % t.in_lines());
            // SAFETY: every part has its own block of the sums and of the weight.
            unsafe {
                let start = self.sums.start().add((o * rows + i * LANES) * LANES);
                let from = Values {
                    start,
                    phase: t.in_lines() * LANES * LANES,
                    plane: plane_len(t.out_lines(), rows),
                };
                let (isa, [_, spare]) = (self.isa, self.thread_scratch(thread));
                for point in 0..t.points() {
                    for phase in t.phases_at(point)[0].clone() {
                        let start = start.add(point * from.plane + phase * from.phase);
                        add_groups(isa, start, groups, self.plan.sums_len());
                    }
                }
                let (dw, shape) = (self.dw.start(), self.shape());
                gradient_block(isa, from, t.phases(), dw, shape, (o, i), spare);
            }
        });
    }

    /// Sums and transforms to the weight's gradient; each part takes 32 outputs and some
    /// inputs through all points.
    fn all_points(&self, pool: &Pool, count: usize) {
        let t = &self.plan.tiling;
        let in_piece = self.plan.in_piece();
        let out_pieces = t.out_lines().div_ceil(OUT_PIECE);
        let in_pieces = t.in_lines().div_ceil(in_piece);
        let plane = plane_len(OUT_PIECE, LINES * LANES);
        pool.parts(out_pieces * in_pieces, |thread, part| {
            let (o, i) = (part % out_pieces * OUT_PIECE, part / out_pieces * in_piece);
            let width = OUT_PIECE.min(t.out_lines() - o);
            let lines = in_piece.min(t.in_lines() - i);
            let chunk = self.chunk(self.tiles.start(), 0, count);
            // SAFETY: own scratch; every part writes its own blocks of the weight.
            unsafe {
                let [sums, spare] = self.thread_scratch(thread);
                for point in 0..t.points() {
                    let [some, _] = t.phases_at(point);
                    for (phase, line) in some.flat_map(|p| (0..lines).map(move |l| (p, l))) {
                        let offset = phase * in_piece + line;
                        let out = Out {
                            start: sums.add(point * plane + offset * LANES * LANES),
                            row: LANES,
                            block: LINES * LANES * LANES,
                        };
                        let line = phase * t.in_lines() + i + line;
                        self.multiply(chunk, (point, line), (o, width), out, false);
                    }
                }
                for block in 0..width * lines {
                    let (column, line) = (block / lines, block % lines);
                    let from = Values {
                        start: sums.add((column * LINES + line) * LANES * LANES),
                        phase: in_piece * LANES * LANES,
                        plane,
                    };
                    let (dw, shape, block) =
                        (self.dw.start(), self.shape(), (o + column, i + line));
                    gradient_block(self.isa, from, t.phases(), dw, shape, block, spare);
                }
            }
        });
    }
}
