//! Batch norm, activation and the weighing of a skip in one pass, and its gradients.

mod arguments;
mod kernels;

pub use arguments::{Coefficient, Granularity};
pub use kernels::PassKernels;

use super::context::{Run, chunks, columns};
use super::equations::Equations;
use super::gpu::{Args, Grid, Kernel, Module};
use super::products::int;
use crate::error::{Error, Result};
use crate::plan::{GradientTarget, Id, Plan, Pointwise, PointwiseGradients, Statistics};
use arguments::{GradientTargets, PointwisePass, Target};

/// Pass on a card: its kernels and what they take.
struct Pass<'a> {
    run: &'a Run<'a>,
    module: Module,
    x: Id,
    pass: PointwisePass,
    gates: Vec<u64>,
    trained: Vec<Coefficient>,
}

impl<'a> Pass<'a> {
    fn new(run: &'a Run, p: &Pointwise) -> Result<Pass<'a>> {
        let unloaded = || Error::new("the kernels of a pass were not loaded");
        let module = run.passes.find(&Equations::of_pass(run.plan, p));
        let coefficient = |&id: &Id| Coefficient::new(run.plan, p.x, id, run.address(id));
        let join = p.join.as_ref();
        let gates = join.iter().flat_map(|join| &join.gates);
        let trained = join.iter().flat_map(|join| &join.trained);
        Ok(Pass {
            run,
            module: module.ok_or_else(unloaded)?,
            x: p.x,
            pass: operands(run, p),
            gates: gates.map(|&id| run.address(id)).collect(),
            trained: trained.map(coefficient).collect(),
        })
    }

    /// Returns the arguments that the kernels take first.
    fn args(&self) -> Args {
        let args = Args::default().with(self.pass);
        args.with_array(&self.gates).with_array(&self.trained)
    }

    /// Makes a launch with a thread for each element, or for each four where a row of
    /// channels can be cut so.
    fn by_element(&self, names: [&'static str; 2]) -> (Kernel, Grid) {
        let count = self.run.count(self.x);
        match self.run.channels(self.x).is_multiple_of(4) {
            true => (self.module.kernel(names[1]), Grid::for_count(count / 4)),
            false => (self.module.kernel(names[0]), Grid::for_count(count)),
        }
    }
}

fn operands(run: &Run, p: &Pointwise) -> PointwisePass {
    let shortcut = p.join.as_ref().and_then(|join| join.shortcut);
    let mut pass = PointwisePass {
        x: run.address(p.x),
        s: shortcut.map_or(0, |s| run.address(s)),
        mean: 0,
        variance: 0,
        weight: 0,
        bias: 0,
        eps: 0.0,
        channels: int(run.channels(p.x)),
        positions: int(run.positions(p.x)),
        count: run.count(p.x) as u32,
    };
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

/// Queues `y = join(activation(norm(x)))`.
///
/// # Errors
/// If the driver refuses.
pub fn forward(run: &Run, p: &Pointwise) -> Result<()> {
    let pass = Pass::new(run, p)?;
    let (kernel, grid) = pass.by_element(["pointwise_1", "pointwise_4"]);
    // SAFETY: what `pointwise` takes; y is as large as x.
    unsafe {
        run.gpu
            .launch(kernel, grid, pass.args().with(run.address(p.y)))
    }
}

/// Tells whether the gradients need sums over each channel.
fn needs_sums(plan: &Plan, g: &PointwiseGradients) -> bool {
    let of_channels = |&id: &Id| Granularity::new(plan, g.pass.x, id) != Granularity::Unit;
    g.pass.norm.is_some() || g.dtrained.iter().any(of_channels)
}

/// Floats in the scratch memory of [`backward`].
#[derive(Clone, Copy)]
struct Room {
    /// Partial sums of each chunk of rows.
    partials: usize,
    /// Sums over all rows, for batch norm.
    totals: usize,
    /// Gradients of each trained coefficient in each channel.
    trained: usize,
}

impl Room {
    fn new(plan: &Plan, g: &PointwiseGradients) -> Room {
        let shape = plan.shape(g.pass.x);
        let channels = shape.channels();
        let (_, chunks) = chunks(plan.batch * shape.positions(), channels);
        let join = Equations::of_pass(plan, &g.pass).join;
        Room {
            partials: (2 + join.sums()) * chunks * channels,
            totals: 2 * channels,
            trained: join.trained * channels,
        }
    }
}

/// Counts the floats of scratch memory of [`backward`].
pub fn room(plan: &Plan, g: &PointwiseGradients) -> usize {
    if !needs_sums(plan, g) {
        return 0;
    }
    let Room {
        partials,
        totals,
        trained,
    } = Room::new(plan, g);
    partials + totals + trained
}

/// Queues the gradients of a pass: sums over rows, what comes from them, then the rows.
///
/// # Errors
/// If the driver refuses.
pub fn backward(run: &Run, g: &PointwiseGradients, scratch: u64) -> Result<()> {
    let pass = Pass::new(run, &g.pass)?;
    let room = Room::new(run.plan, g);
    let after = |floats: usize| scratch + (floats * size_of::<f32>()) as u64;
    let totals = after(room.partials);
    if needs_sums(run.plan, g) {
        sums(&pass, g, scratch, totals)?;
    }
    units(&pass, g)?;
    let target = |target: Option<GradientTarget>| Target {
        to: target.map_or(0, |target| run.address(target.to)),
        add: target.map_or(0, |target| i32::from(target.add)),
        padding: 0,
    };
    let targets = GradientTargets {
        dy: run.address(g.dy),
        totals,
        dx: target(g.dx),
        ds: target(g.ds),
    };
    let dgates: Vec<Target> = g.dgates.iter().copied().map(target).collect();
    if [targets.dx, targets.ds]
        .iter()
        .chain(&dgates)
        .all(|target| target.to == 0)
    {
        return Ok(());
    }
    let (kernel, grid) = pass.by_element(["gradient_1", "gradient_4"]);
    let args = pass.args().with(targets).with_array(&dgates);
    // SAFETY: what `gradient` takes; gradients are as large as what they are of.
    unsafe { run.gpu.launch(kernel, grid, args) }
}

/// Queues the gradients' sums over rows, and the gradients of the norm and of
/// coefficients of channels and layers.
fn sums(pass: &Pass, g: &PointwiseGradients, partials: u64, totals: u64) -> Result<()> {
    let Pass { run, module, .. } = *pass;
    let channels = run.channels(pass.x);
    let (chunk, chunks) = chunks(run.rows(pass.x), channels);
    let null = |id: Option<Id>| id.map_or(0, |id| run.address(id));
    // After the totals, a row of channels for each coefficient.
    let row = |k: usize| totals + ((2 + k) * channels * size_of::<f32>()) as u64;
    let by_channel = |(k, &id): (usize, &Id)| match Granularity::new(run.plan, pass.x, id) {
        Granularity::Layer => row(k),
        Granularity::Channel => run.address(id),
        Granularity::Unit => 0,
    };
    let targets: Vec<u64> = g.dtrained.iter().enumerate().map(by_channel).collect();
    let args = pass.args().with(run.address(g.dy)).with(partials);
    let grid = columns(channels, chunks);
    let kernel = module.kernel("pointwise_sums");
    // SAFETY: what the kernel takes; `room` made room for the partial sums.
    unsafe { run.gpu.launch(kernel, grid, args.with(chunk as u32)) }?;
    let args = Args::default()
        .with(partials)
        .with(int(chunks))
        .with(int(channels));
    let args = args.with(totals).with(null(g.dweight)).with(null(g.dbias));
    let args = args.with_array(&pass.trained).with_array(&targets);
    let kernel = module.kernel("pointwise_totals");
    // SAFETY: what the kernel takes; the gradients of norm and coefficients have a float a
    // channel, and so has each row after the totals.
    unsafe { run.gpu.launch(kernel, columns(channels, 1), args) }?;
    for (k, &id) in g.dtrained.iter().enumerate() {
        if Granularity::new(run.plan, pass.x, id) != Granularity::Layer {
            continue;
        }
        let args = Args::default().with(row(k)).with(int(channels));
        let kernel = module.kernel("add_channels");
        // SAFETY: what the kernel takes: a row of channels, and one float.
        unsafe {
            run.gpu
                .launch(kernel, Grid::for_count(1), args.with(run.address(id)))
        }?;
    }
    Ok(())
}

/// Queues the gradients of coefficients that each activation of a sample has one of.
fn units(pass: &Pass, g: &PointwiseGradients) -> Result<()> {
    let run = pass.run;
    let by_unit = |&id: &Id| match Granularity::new(run.plan, pass.x, id) {
        Granularity::Layer | Granularity::Channel => 0,
        Granularity::Unit => run.address(id),
    };
    let targets: Vec<u64> = g.dtrained.iter().map(by_unit).collect();
    if targets.iter().all(|&target| target == 0) {
        return Ok(());
    }
    let units = run.channels(pass.x) * run.positions(pass.x);
    let args = pass.args().with(run.address(g.dy)).with_array(&targets);
    let kernel = pass.module.kernel("trained_units");
    // SAFETY: what the kernel takes; these gradients have a float an activation of a sample.
    unsafe { run.gpu.launch(kernel, Grid::for_count(units), args) }
}
