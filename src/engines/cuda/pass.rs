//! Batch norm, activation and the weighing of a skip in one pass, and its gradients.

use super::gpu::{Args, Grid};
use super::products::int;
use super::run::{Run, chunks, columns};
use crate::engines::forms::{self, Activation, Form, Join};
use crate::error::Result;
use crate::plan::{GradientTarget, Id, Plan, Pointwise, PointwiseGradients, Statistics};

/// `PointwisePass` in kernels/pass.cuh.
#[repr(C)]
#[derive(Clone, Copy)]
struct PointwisePass {
    x: u64,
    s: u64,
    gate: u64,
    alpha: u64,
    mean: u64,
    variance: u64,
    weight: u64,
    bias: u64,
    eps: f32,
    slope: f32,
    scale: f32,
    activation: i32,
    join: i32,
    granularity: i32,
    channels: i32,
    positions: i32,
    count: u32,
}

/// `GradientTargets` in kernels/pointwise.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct GradientTargets {
    dy: u64,
    dx: u64,
    ds: u64,
    dgate: u64,
    totals: u64,
    add_dx: i32,
    add_ds: i32,
    add_dgate: i32,
}

/// What one α covers, by its number in kernels/pass.cuh.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Granularity {
    Layer = 0,
    Channel = 1,
    Unit = 2,
}

fn granularity(plan: &Plan, p: &Pointwise) -> Granularity {
    let alphas = match p.join.as_ref().map(forms::join) {
        Some(Join::Fading { alpha, .. }) => plan.buffer(alpha).elements,
        Some(Join::Residual { .. } | Join::Gated { .. }) | None => 1,
    };
    match alphas {
        1 => Granularity::Layer,
        n if n == plan.shape(p.x).channels() => Granularity::Channel,
        _ => Granularity::Unit,
    }
}

/// Whether the gradients need sums over each channel.
fn needs_sums(plan: &Plan, g: &PointwiseGradients) -> bool {
    g.pass.norm.is_some()
        || (!g.dtrained.is_empty() && granularity(plan, &g.pass) != Granularity::Unit)
}

/// Floats of scratch memory of [`backward`].
pub fn room(plan: &Plan, g: &PointwiseGradients) -> usize {
    let shape = plan.shape(g.pass.x);
    let (_, chunks) = chunks(plan.batch * shape.positions(), shape.channels());
    match needs_sums(plan, g) {
        true => 4 * (chunks + 1) * shape.channels(),
        false => 0,
    }
}

fn operands(run: &Run, p: &Pointwise) -> PointwisePass {
    let (activation, slope) = match p.activation.as_ref().map(forms::activation) {
        None => (0, 0.0),
        Some(Activation::Relu) => (1, 0.0),
        Some(Activation::Elu(alpha)) => (2, alpha),
        Some(Activation::LeakyRelu(slope)) => (3, slope),
        Some(Activation::Tanh) => (4, 0.0),
        Some(Activation::Sigmoid) => (5, 0.0),
    };
    let join = p.join.as_ref().map(forms::join);
    let mut pass = PointwisePass {
        x: run.address(p.x),
        s: join.map_or(0, |join| run.address(join.shortcut())),
        gate: 0,
        alpha: 0,
        mean: 0,
        variance: 0,
        weight: 0,
        bias: 0,
        eps: 0.0,
        slope,
        scale: 1.0,
        activation,
        join: 0,
        granularity: granularity(run.plan, p) as i32,
        channels: int(run.channels(p.x)),
        positions: int(run.positions(p.x)),
        count: run.count(p.x) as u32,
    };
    match join {
        None => {}
        Some(Join::Residual { scale, .. }) => (pass.join, pass.scale) = (1, scale),
        Some(Join::Gated { gate, .. }) => (pass.join, pass.gate) = (2, run.address(gate)),
        Some(Join::Fading { alpha, form, .. }) => {
            pass.alpha = run.address(alpha);
            pass.join = match form {
                Form::Additive => 3,
                Form::Convex => 4,
            };
        }
    }
    if let Some(norm) = p.norm {
        (pass.mean, pass.variance) = match norm.statistics {
            Statistics::Batch(found) => {
                let row = run.channels(p.x) * size_of::<f32>();
                (run.address(found), run.address(found) + row as u64)
            }
            Statistics::Running { mean, variance } => (run.address(mean), run.address(variance)),
        };
        (pass.weight, pass.bias) = (run.address(norm.weight), run.address(norm.bias));
        pass.eps = norm.eps as f32;
    }
    pass
}

/// A thread for each element, or for each four where a row of channels can be cut so.
fn launch(run: &Run, names: [&'static str; 2], x: Id, args: Args) -> Result<()> {
    let count = run.count(x);
    match run.channels(x).is_multiple_of(4) {
        true => run.gpu.launch(names[1], Grid::for_count(count / 4), args),
        false => run.gpu.launch(names[0], Grid::for_count(count), args),
    }
}

/// `y = join(activation(norm(x)))`.
pub fn forward(run: &Run, p: &Pointwise) -> Result<()> {
    let args = Args::default()
        .with(operands(run, p))
        .with(run.address(p.y));
    launch(run, ["pointwise_1", "pointwise_4"], p.x, args)
}

/// The gradients of a pass: sums over rows, what comes from them, then the rows.
pub fn backward(run: &Run, g: &PointwiseGradients, scratch: u64) -> Result<()> {
    let pass = operands(run, &g.pass);
    let channels = run.channels(g.pass.x);
    let (chunk, chunks) = chunks(run.rows(g.pass.x), channels);
    let totals = scratch + (4 * chunks * channels * size_of::<f32>()) as u64;
    let null = |id: Option<Id>| id.map_or(0, |id| run.address(id));
    let granularity = granularity(run.plan, &g.pass);
    let dalpha = |wanted| match granularity == wanted {
        true => null(g.dtrained.first().copied()),
        false => 0,
    };
    let convex = i32::from(pass.join == 4);
    let dy = run.address(g.dy);
    if needs_sums(run.plan, g) {
        let args = Args::default()
            .with(pass)
            .with(dy)
            .with(scratch)
            .with(chunk as u32);
        run.gpu
            .launch("pointwise_sums", columns(channels, chunks), args)?;
        let args = Args::default()
            .with(scratch)
            .with(int(chunks))
            .with(int(channels));
        let args = args.with(totals).with(null(g.dweight)).with(null(g.dbias));
        let args = args.with(dalpha(Granularity::Channel)).with(convex);
        run.gpu
            .launch("pointwise_totals", columns(channels, 1), args)?;
    }
    if dalpha(Granularity::Layer) != 0 {
        let args = Args::default().with(totals).with(int(channels));
        let args = args.with(dalpha(Granularity::Layer)).with(convex);
        run.gpu.launch("alpha_of_layer", Grid::for_count(1), args)?;
    }
    if dalpha(Granularity::Unit) != 0 {
        let units = channels * run.positions(g.pass.x);
        let args = Args::default()
            .with(pass)
            .with(dy)
            .with(dalpha(Granularity::Unit));
        run.gpu
            .launch("alpha_of_units", Grid::for_count(units), args)?;
    }
    let to = |target: Option<GradientTarget>| {
        target.map_or((0, 0), |s| (run.address(s.to), i32::from(s.add)))
    };
    let [(dx, add_dx), (ds, add_ds), (dgate, add_dgate)] =
        [g.dx, g.ds, g.dgates.first().copied().flatten()].map(to);
    if [dx, ds, dgate] == [0; 3] {
        return Ok(());
    }
    let targets = GradientTargets {
        dy,
        dx,
        ds,
        dgate,
        totals,
        add_dx,
        add_ds,
        add_dgate,
    };
    let args = Args::default().with(pass).with(targets);
    launch(run, ["gradient_1", "gradient_4"], g.pass.x, args)
}
