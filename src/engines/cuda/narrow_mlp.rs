//! Narrow MLPs in one launch.
//!
//! A step of a network a few dozen neurons wide is all waiting for launches. Where the end
//! of a plan is hidden layers of batch norm, activation and a linear layer, with or without
//! a skip around them, then a linear layer and the loss, all of that, forward and backward,
//! is the kernel `narrow_mlp` ([`super::run`] does the rest): its blocks keep their rows of the
//! batch in shared memory and meet once a layer each way for batch norm's sums.

use super::equations::{self, Equations};
use super::gpu::{Args, Buffer, Gpu, Grid, Module};
use super::layout::{Layout, shared};
use super::memory::Memory;
use super::pass::Coefficient;
use super::products::int;
use super::source::{PASS, Source};
use crate::error::Result;
use crate::ir::Shape;
use crate::plan::{Action, Convolution, Id, Join, Method, Plan, Pointwise, Purpose};
use crate::plan::{Statistics, Step, Storage};

/// Number of rows of the batch that a block has, as in kernels/narrow_mlp.cu.
const ROWS: usize = 8;
/// Number of neurons that a hidden layer may have, and of classes, as there.
const WIDTH: usize = 64;
/// Number of blocks: few enough that they all fit on any card at once, which they must to
/// meet.
const BLOCKS: usize = 32;

/// Number of trained coefficients that a join may have, as there.
const MOST_TRAINED: usize = 4;

shared! {
    /// Hidden layer, as its kernel takes it.
    struct Layer as "Layer" {
        z: u64,
        next: u64,
        found: u64,
        norm_weight: u64,
        norm_bias: u64,
        weight: u64,
        bias: u64,
        norm_weight_gradient: u64,
        norm_bias_gradient: u64,
        trained: [Coefficient; MOST_TRAINED],
        trained_at: [u32; MOST_TRAINED],
        weight_at: u32,
        bias_at: u32,
        eps: f32,
        equations: i32,
    }
}

shared! {
    /// Whole network, as the kernel takes it.
    struct Network as "NarrowMlp" {
        layers: u64,
        weight: u64,
        bias: u64,
        weight_at: u32,
        bias_at: u32,
        dz: u64,
        labels: u64,
        losses: u64,
        correct: u64,
        gradients: u64,
        exchange: u64,
        met: u64,
        stride: u64,
        depth: i32,
        width: i32,
        classes: i32,
        images: i32,
        total: i32,
    }
}

shared! {
    /// Place of a tensor in a row of gradients.
    struct Piece as "Piece" {
        first: u32,
        count: u32,
    }
}

/// Structures of kernels/narrow_mlp.cu.
pub const LAYOUTS: &[Layout] = &[
    Coefficient::LAYOUT,
    Layer::LAYOUT,
    Network::LAYOUT,
    Piece::LAYOUT,
];

/// End of a plan that one launch does.
pub struct NarrowMlp {
    network: Network,
    module: Module,
    blocks: usize,
    /// Number of forward steps before it.
    pub before: usize,
    /// Index of the first backward step after it.
    pub after: usize,
    pieces: usize,
    longest: usize,
    _layers: Buffer,
    table: Buffer,
    _rows: Buffer,
    _exchange: Buffer,
    met: Buffer,
}

/// Hidden layer, found in a plan.
struct Hidden<'a> {
    norm: &'a Pointwise,
    linear: &'a Convolution,
    join: Option<&'a Join>,
    next: Id,
    /// Index of the layer's equations among those of [`Found`].
    equations: usize,
}

/// Narrow MLP, found in a plan.
struct Found<'a> {
    before: usize,
    after: usize,
    hidden: Vec<Hidden<'a>>,
    /// Different equations of the hidden layers.
    equations: Vec<Equations>,
    last: &'a Convolution,
    dz: Id,
    width: usize,
    classes: usize,
}

/// Returns the norm that a hidden layer begins with.
fn norm_of(step: &Step) -> Option<&Pointwise> {
    let Action::Pointwise(pass) = &step.action else {
        return None;
    };
    (pass.norm.is_some() && pass.join.is_none()).then_some(pass)
}

/// Returns the linear layer of `x`, where the step is one.
fn linear_of(step: &Step, x: Id) -> Option<&Convolution> {
    let Action::Convolve(c) = &step.action else {
        return None;
    };
    (c.method == Method::Dense && c.x == x).then_some(c)
}

/// Returns the join of `f` and the shortcut `z`, and its output, where the step is one.
fn join_of(step: Option<&Step>, f: Id, z: Id) -> Option<(&Join, Id)> {
    let Action::Pointwise(pass) = &step?.action else {
        return None;
    };
    let join = pass.join.as_ref()?;
    let is_plain = pass.x == f && pass.norm.is_none() && pass.activation.is_none();
    let is_known = join.shortcut.is_none_or(|s| s == z)
        && join.gates.is_empty()
        && join.trained.len() <= MOST_TRAINED;
    (is_plain && is_known).then_some((join, pass.y))
}

/// Finds the end of `plan`, if it is of that kind.
fn find(plan: &Plan) -> Option<Found<'_>> {
    let steps = &plan.forward;
    let before = steps.iter().position(|step| norm_of(step).is_some())?;
    let first = norm_of(&steps[before])?.x;
    let Shape::Flat(width) = plan.shape(first) else {
        return None;
    };
    let classes = plan.shape(plan.logits).channels();
    let fits = plan.purpose == Purpose::Training
        && (1..=WIDTH).contains(&width)
        && classes <= WIDTH
        && plan.batch.div_ceil(ROWS) <= BLOCKS;
    if !fits {
        return None;
    }
    let (mut at, mut z, mut hidden) = (before, first, Vec::new());
    let mut all: Vec<Equations> = Vec::new();
    while let Some(norm) = norm_of(steps.get(at)?) {
        let linear = linear_of(steps.get(at + 1)?, norm.y)?;
        if norm.x != z || plan.shape(linear.y) != Shape::Flat(width) {
            return None;
        }
        at += 2;
        let joined = join_of(steps.get(at), linear.y, z);
        let next = joined.map_or(linear.y, |(_, y)| y);
        at += usize::from(joined.is_some());
        if let Action::Statistics { x, .. } = steps.get(at)?.action {
            (x == next).then_some(())?;
            at += 1;
        }
        let join = joined.map(|(join, _)| join);
        let equations = Equations::new(plan, norm.activation.as_ref(), join, z);
        let known = all.iter().position(|known| *known == equations);
        hidden.push(Hidden {
            norm,
            linear,
            join,
            next,
            equations: known.unwrap_or(all.len()),
        });
        if known.is_none() {
            all.push(equations);
        }
        z = next;
    }
    let last = linear_of(steps.get(at)?, z)?;
    let ends = matches!(steps.get(at + 1)?.action, Action::Loss { logits, .. } if logits == last.y);
    if !ends || steps.len() != at + 2 {
        return None;
    }
    let first_gradient = |step: &Step| {
        let Action::PointwiseGradient(g) = &step.action else {
            return None;
        };
        let is_first = g.pass.x == first && g.pass.norm.is_some();
        g.dx.filter(|_| is_first)
    };
    let after = plan
        .backward
        .iter()
        .position(|step| first_gradient(step).is_some())?;
    let dz = first_gradient(&plan.backward[after])?.to;
    let after = after + 1;
    Some(Found {
        before,
        after,
        hidden,
        equations: all,
        last,
        dz,
        width,
        classes,
    })
}

/// Returns the floats before a tensor in a row of gradients, and how many it has.
fn place(memory: &Memory, plan: &Plan, id: Id) -> (usize, usize) {
    let buffer = plan.buffer(id);
    match buffer.storage {
        Storage::Tensor(index) => (memory.rows.offsets[index], buffer.elements),
        Storage::Gradient(_) | Storage::Slot { .. } | Storage::Arena { .. } => (0, 0),
    }
}

fn layer(memory: &Memory, plan: &Plan, hidden: &Hidden, pieces: &mut Vec<Piece>) -> Option<Layer> {
    let address = |id: Id| memory.address(plan, id);
    let mut gradient = |id: Id| {
        let (first, count) = place(memory, plan, id);
        if count > 0 {
            pieces.push(Piece {
                first: first as u32,
                count: count as u32,
            });
        }
        first as u32
    };
    let norm = hidden.norm.norm?;
    let Statistics::Batch(found) = norm.statistics else {
        return None;
    };
    let gradient_at = |id: Id| {
        let (first, _) = place(memory, plan, id);
        memory.gradients.at + (first * size_of::<f32>()) as u64
    };
    let (weight_at, bias_at) = (
        gradient(hidden.linear.weight),
        hidden.linear.bias().map_or(0, &mut gradient),
    );
    let none = Coefficient::new(plan, hidden.next, hidden.next, 0);
    let (mut trained, mut trained_at) = ([none; MOST_TRAINED], [0; MOST_TRAINED]);
    for (k, &id) in hidden
        .join
        .iter()
        .flat_map(|join| &join.trained)
        .enumerate()
    {
        trained[k] = Coefficient::new(plan, hidden.next, id, address(id));
        trained_at[k] = gradient(id);
    }
    Some(Layer {
        z: address(hidden.norm.x),
        next: address(hidden.next),
        found: address(found),
        norm_weight: address(norm.weight),
        norm_bias: address(norm.bias),
        weight: address(hidden.linear.weight),
        bias: hidden.linear.bias().map_or(0, address),
        norm_weight_gradient: gradient_at(norm.weight),
        norm_bias_gradient: gradient_at(norm.bias),
        trained,
        trained_at,
        weight_at,
        bias_at,
        eps: norm.eps as f32,
        equations: int(hidden.equations),
    })
}

impl NarrowMlp {
    /// Prepares the end of `plan` as one launch, if it can be.
    ///
    /// # Errors
    /// If the driver refuses, or the kernel does not compile.
    pub fn new(
        gpu: &mut Gpu,
        memory: &Memory,
        plan: &Plan,
        total: usize,
    ) -> Result<Option<NarrowMlp>> {
        let Some(found) = find(plan) else {
            return Ok(None);
        };
        let is_kept = |c: &Convolution| matches!(plan.buffer(c.weight).storage, Storage::Tensor(_));
        let mut pieces = Vec::new();
        let each = found.hidden.iter().filter(|hidden| is_kept(hidden.linear));
        let layers = each.map(|hidden| layer(memory, plan, hidden, &mut pieces));
        let layers: Vec<Layer> = layers.flatten().collect();
        // A weight that is computed (Dirac's) is another kind of network.
        if layers.len() != found.hidden.len() || !is_kept(found.last) {
            return Ok(None);
        }
        let mut gradient = |id: Id| {
            let (first, count) = place(memory, plan, id);
            pieces.push(Piece {
                first: first as u32,
                count: count as u32,
            });
            first as u32
        };
        let (weight_at, bias_at) = (
            gradient(found.last.weight),
            found.last.bias().map_or(0, &mut gradient),
        );
        let blocks = plan.batch.div_ceil(ROWS);
        let stride = memory.rows.alphas.end;
        let of_layers = gpu.zeros(size_of_val(layers.as_slice()))?;
        gpu.upload(&layers, of_layers.at)?;
        let table = gpu.zeros(size_of_val(pieces.as_slice()))?;
        gpu.upload(&pieces, table.at)?;
        let rows = gpu.zeros(blocks * stride * size_of::<f32>())?;
        let exchange = gpu.zeros(2 * blocks * 2 * WIDTH * size_of::<f32>())?;
        let met = gpu.zeros(size_of::<u32>())?;
        let network = Network {
            layers: of_layers.at,
            weight: memory.address(plan, found.last.weight),
            bias: found.last.bias().map_or(0, |id| memory.address(plan, id)),
            weight_at,
            bias_at,
            dz: memory.address(plan, found.dz),
            labels: memory.labels(),
            losses: memory.losses(),
            correct: memory.correct(),
            gradients: rows.at,
            exchange: exchange.at,
            met: met.at,
            stride: stride as u64,
            depth: int(layers.len()),
            width: int(found.width),
            classes: int(found.classes),
            images: int(plan.batch),
            total: int(total),
        };
        let source = Source::of_narrow_mlp(&found.equations);
        let Some(&module) = gpu.load(&[source])?.first() else {
            return Ok(None);
        };
        Ok(Some(NarrowMlp {
            network,
            module,
            blocks,
            before: found.before,
            after: found.after,
            pieces: pieces.len(),
            longest: pieces
                .iter()
                .map(|piece| piece.count as usize)
                .max()
                .unwrap_or(0),
            _layers: of_layers,
            table,
            _rows: rows,
            _exchange: exchange,
            met,
        }))
    }

    /// Queues the launch, and the sums of the blocks' gradients.
    pub fn run(&self, gpu: &Gpu, memory: &Memory) -> Result<()> {
        gpu.clear(self.met.at, size_of::<u32>())?;
        let grid = Grid {
            blocks: [self.blocks, 1, 1],
            threads: [256, 1, 1],
        };
        let (narrow_mlp, add_rows) = (
            self.module.kernel("narrow_mlp"),
            self.module.kernel("add_rows"),
        );
        // SAFETY: what the kernel takes; `new` made room for its blocks.
        unsafe { gpu.launch_together(narrow_mlp, grid, Args::default().with(self.network)) }?;
        let args = Args::default()
            .with(self.network.gradients)
            .with(int(self.blocks));
        let args = args.with(self.network.stride).with(self.table.at);
        let grid = Grid {
            blocks: [self.longest.div_ceil(256), self.pieces, 1],
            threads: [256, 1, 1],
        };
        // SAFETY: what the kernel takes; the pieces are within a row of gradients.
        unsafe { gpu.launch(add_rows, grid, args.with(memory.gradients.at)) }
    }
}

impl Source {
    /// Makes the file of the kernels of a narrow MLP whose hidden layers have these
    /// equations.
    pub fn of_narrow_mlp(equations: &[Equations]) -> Source {
        Source {
            name: "narrow_mlp",
            printed: PASS.to_string() + &equations::print_all(equations),
            text: include_str!("kernels/narrow_mlp.cu"),
            layouts: LAYOUTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::diag::Sources;
    use crate::engines::cuda::Precision;
    use crate::engines::cuda::run::CudaTarget;

    /// Counts the hidden layers found in the file's plan.
    fn hidden(text: &str) -> Option<usize> {
        let model = check(&mut Sources::new("test.van", text), &[], false);
        let model = model.unwrap_or_else(|_| panic!("{text} has mistakes"));
        let target = CudaTarget {
            precision: Precision::Tf32,
        };
        let plan = Plan::new(&model, model.train.batch, Purpose::Training, &target).unwrap();
        find(&plan).map(|found| found.hidden.len())
    }

    #[test]
    fn the_paper_s_perceptrons_are_narrow() {
        assert_eq!(
            hidden(include_str!("../../../examples/deep_mlp.van")),
            Some(30)
        );
        assert_eq!(
            hidden(include_str!("../../../examples/mnist_mlp.van")),
            Some(10)
        );
        assert_eq!(
            hidden(include_str!("../../../examples/cifar_8n2.van")),
            None
        );
    }

    #[test]
    fn others_are_not() {
        let hidden_of = |layers: &str| {
            let text = format!("model m {{ input image(1, 28, 28) linear(8) {layers} }}");
            hidden(&text)
        };
        let layer = "batch_norm relu linear(8)";
        assert_eq!(hidden_of(&format!("{layer} {layer} linear(3)")), Some(2));
        assert_eq!(hidden_of("linear(3)"), None);
        assert_eq!(hidden_of(&format!("{layer} dropout(0.5) linear(3)")), None);
        assert_eq!(
            hidden_of(&format!("skip highway {{ {layer} }} linear(3)")),
            None
        );
        assert_eq!(hidden_of("batch_norm relu linear(9) linear(3)"), None);
        assert_eq!(hidden_of(&format!("{layer} linear(65)")), None);
        assert_eq!(hidden_of(&format!("{layer} relu linear(3)")), None);
    }
}
