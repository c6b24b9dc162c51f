//! Steps that move, choose or weigh activations: each kind as a launch of its kernel, which
//! takes the inputs, then what is made, then in gradients whether to add to it.

use super::context::Run;
use super::gpu::{Args, Grid};
use super::layout::shared;
use super::products::int;
use crate::engines::random::Purpose;
use crate::error::Result;
use crate::plan::{Id, MapKind, MapStep, Window};
use crate::random::fnv1a;

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

/// Kernel to be queued, with its grid and arguments.
type Launch = (&'static str, Grid, Args);

/// Queues a map of the layer at `path`.
pub fn run(run: &Run, path: &str, step: &MapStep) -> Result<()> {
    let y = step.y.to;
    let channels = |id| int(run.channels(id));
    let inputs = step.inputs.iter();
    let args = inputs.fold(Args::default(), |args, id| args.with(run.address(*id)));
    let args = args.with(run.address(y));
    let add = i32::from(step.y.add);
    let (name, grid, args) = match step.kind {
        MapKind::Crelu => each(run, "crelu", y, args.with(channels(step.inputs[0]))),
        MapKind::CreluGradient => {
            let args = args.with(add).with(channels(y));
            each(run, "crelu_gradient", y, args)
        }
        MapKind::Concat { first } => {
            let second = channels(step.inputs[1]);
            each(run, "concat", y, args.with(int(first)).with(second))
        }
        MapKind::ConcatGradient { from } => {
            let args = args.with(add).with(int(from)).with(channels(y));
            each(
                run,
                "concat_gradient",
                y,
                args.with(channels(step.inputs[0])),
            )
        }
        MapKind::MaxPool(window) => pool(run, "max_pool", y, args, window),
        MapKind::MaxPoolGradient(window) => {
            pool(run, "max_pool_gradient", y, args.with(add), window)
        }
        MapKind::AvgPool(window) => pool(run, "avg_pool", y, args, window),
        MapKind::AvgPoolGradient(window) => {
            pool(run, "avg_pool_gradient", y, args.with(add), window)
        }
        MapKind::Subsample { stride } => {
            let args = images(run, args, [step.inputs[0], y]);
            each(run, "subsample", y, args.with(int(stride)))
        }
        MapKind::SubsampleGradient { stride } => {
            let args = images(run, args.with(add), [y, step.inputs[0]]);
            each(run, "subsample_gradient", y, args.with(int(stride)))
        }
        MapKind::Flatten => {
            let x = step.inputs[0];
            let args = args.with(channels(x)).with(int(run.positions(x)));
            each(run, "flatten", y, args)
        }
        MapKind::FlattenGradient => {
            let args = args.with(add).with(channels(y));
            each(run, "flatten_gradient", y, args.with(int(run.positions(y))))
        }
        MapKind::Mask { p } => mask(run, y, p, path),
        MapKind::Multiply => each(run, "multiply", y, args.with(add)),
        MapKind::Add => each(run, "add", y, args),
    };
    // SAFETY: each arm lists what its kernel takes; the plan's buffers are as large as their
    // shapes, of which the sizes among the arguments are.
    unsafe { run.gpu.launch(name, grid, args) }
}

/// Makes a launch with a thread for each element of `id`; its count is the last argument.
fn each(run: &Run, name: &'static str, id: Id, args: Args) -> Launch {
    let count = run.count(id);
    (name, Grid::for_count(count), args.with(count as u32))
}

/// Makes a launch with a thread for each element of `id`, which is written.
fn pool(run: &Run, name: &'static str, id: Id, args: Args, window: Window) -> Launch {
    let count = run.count(id);
    let windows = Windows {
        in_h: int(window.input.0),
        in_w: int(window.input.1),
        out_h: int(window.output.0),
        out_w: int(window.output.1),
        kernel_h: int(window.kernel.0),
        kernel_w: int(window.kernel.1),
        stride: int(window.stride),
        channels: int(run.channels(id)),
        count: count as u32,
    };
    (name, Grid::for_count(count), args.with(windows))
}

/// Adds rows, columns and channels of two images to the arguments.
fn images(run: &Run, args: Args, ids: [Id; 2]) -> Args {
    ids.into_iter().fold(args, |args, id| {
        let (height, width) = run.plan.shape(id).extent();
        let args = args.with(int(height)).with(int(width));
        args.with(int(run.channels(id)))
    })
}

fn mask(run: &Run, y: Id, p: f64, path: &str) -> Launch {
    let count = run.count(y);
    let purpose = u64::from_le_bytes(Purpose::Dropout.word());
    let kept = (1.0 / (1.0 - p)) as f32;
    let args = Args::default()
        .with(run.memory.control.at)
        .with(run.address(y));
    let args = args.with(purpose).with(fnv1a(path)).with(p).with(kept);
    let args = args.with(int(run.channels(y))).with(int(run.positions(y)));
    let each = run.channels(y) * run.positions(y);
    let first = run.part.first * each;
    let args = args.with(first as u64).with(count as u32);
    let grid = Grid::for_count((first % 8 + count).div_ceil(8));
    ("mask", grid, args)
}
