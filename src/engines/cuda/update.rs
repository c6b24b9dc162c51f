//! End of a step: the optimizer, running statistics, and the constraint, one launch each.

use super::gpu::{Args, Buffer, Gpu, Grid};
use super::layout::shared;
use super::memory::Memory;
use super::products::int;
use crate::error::Result;
use crate::ir::{Every, Optimizer, Sgd, Train};
use crate::plan::{Action, Plan};

shared! {
    /// Running statistics of a batch norm, as the kernel takes them.
    pub struct Running as "Running" {
        found: u64,
        mean: u64,
        variance: u64,
        share: f64,
        unbiased: f64,
        channels: u64,
    }
}

/// Running statistics that a plan moves, on the card.
pub struct Statistics {
    table: Buffer,
    norms: usize,
    /// Number of channels of the widest batch norm.
    channels: usize,
}

impl Statistics {
    /// Places the running statistics of `plan`.
    pub fn new(gpu: &Gpu, memory: &Memory, plan: &Plan) -> Result<Statistics> {
        let mut table = Vec::new();
        let mut widest = 0;
        for step in &plan.update {
            let Action::MoveStatistics {
                found,
                count,
                mean,
                variance,
                momentum,
            } = &step.action
            else {
                continue;
            };
            let channels = plan.buffer(*mean).elements;
            widest = widest.max(channels);
            table.push(Running {
                found: memory.address(plan, *found),
                mean: memory.address(plan, *mean),
                variance: memory.address(plan, *variance),
                share: *momentum,
                unbiased: match count {
                    0 | 1 => 1.0,
                    count => *count as f64 / (count - 1) as f64,
                },
                channels: channels as u64,
            });
        }
        let buffer = gpu.zeros(size_of_val(table.as_slice()))?;
        gpu.upload(&table, buffer.at)?;
        Ok(Statistics {
            table: buffer,
            norms: table.len(),
            channels: widest,
        })
    }

    /// Queues the update of the running statistics.
    pub fn update(&self, gpu: &Gpu, memory: &Memory) -> Result<()> {
        let args = Args::default().with(memory.control.at).with(self.table.at);
        let grid = Grid {
            blocks: [self.channels.div_ceil(256), self.norms, 1],
            threads: [256, 1, 1],
        };
        // SAFETY: what the kernel takes; the table has a row a norm, of the plan's buffers.
        unsafe { gpu.launch("move_statistics", grid, args) }
    }
}

/// Queues the update of weights, α and λ, with the learning rate of the step's control.
pub fn update(gpu: &Gpu, memory: &Memory, train: &Train) -> Result<()> {
    match &train.optimizer {
        Optimizer::Sgd(rule) => sgd(gpu, memory, rule)?,
    }
    let constraint = train.constraint;
    let wait = match constraint.every {
        Every::Step => 0,
        Every::Epoch => 1,
    };
    let args = Args::default()
        .with(memory.control.at)
        .with(memory.alphas());
    let args = args.with(memory.lambdas()).with(memory.alpha_gradients());
    let args = args.with(memory.sums.at).with(memory.held.at);
    let rates = constraint.rates();
    let args = args.with(rates.alpha_rate).with(rates.lambda_rate);
    let count = memory.rows.alphas.len();
    let args = args.with(wait).with(count as u32);
    // SAFETY: what the kernel takes; there are as many α, λ, gradients and sums.
    unsafe { gpu.launch("constrain_step", Grid::for_count(count), args) }
}

/// Queues SGD of what is decayed, then of the coefficients with their ranges.
fn sgd(gpu: &Gpu, memory: &Memory, sgd: &Sgd) -> Result<()> {
    let (decayed, optimized) = (memory.rows.decayed, memory.rows.optimized);
    let rows = [
        (0..decayed, sgd.weight_decay, 0),
        (decayed..optimized, 0.0, memory.ranges.at),
    ];
    for (row, decay, ranges) in rows.into_iter().filter(|(row, ..)| !row.is_empty()) {
        let from = |at: u64| at + (row.start * size_of::<f32>()) as u64;
        let velocities = memory.slots.first().map_or(0, |row| from(row.at));
        let args = Args::default()
            .with(memory.control.at)
            .with(from(memory.tensors.at));
        let args = args.with(from(memory.gradients.at)).with(velocities);
        let args = args.with(sgd.momentum as f32).with(i32::from(sgd.nesterov));
        let args = args.with(decay as f32).with(ranges);
        let args = args.with(row.len() as u32);
        // SAFETY: what the kernel takes; the rows hold `row`, and there is a range for each of
        // its floats where there are ranges.
        unsafe { gpu.launch("sgd", Grid::for_count(row.len()), args) }?;
    }
    Ok(())
}

/// Queues the constraint at the end of an epoch of `steps` steps.
pub fn end_epoch(gpu: &Gpu, memory: &Memory, train: &Train, rate: f64, steps: u32) -> Result<()> {
    let rates = train.constraint.rates();
    let args = Args::default().with(memory.alphas()).with(memory.lambdas());
    let args = args.with(memory.sums.at).with(memory.held.at);
    let args = args.with(rates.alpha_rate * rate);
    let args = args.with(rates.lambda_rate * rate);
    let args = args.with(1.0 / f64::from(steps));
    let count = memory.rows.alphas.len();
    let args = args.with(int(count));
    // SAFETY: what the kernel takes; there are as many α, λ and sums.
    unsafe { gpu.launch("constrain_epoch", Grid::for_count(count), args) }
}
