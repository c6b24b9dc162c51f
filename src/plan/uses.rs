//! Which buffers an action reads and writes, what product it is, what it is called.

use super::buffers::Id;
use super::step::{Action, ConvPass, Pointwise, Product, Statistics};

impl Pointwise {
    fn reads(&self) -> Vec<Id> {
        let mut ids = vec![self.x];
        if let Some(norm) = self.norm {
            ids.extend([norm.weight, norm.bias]);
            match norm.statistics {
                Statistics::Batch(id) => ids.push(id),
                Statistics::Running { mean, variance } => ids.extend([mean, variance]),
            }
        }
        if let Some(join) = self.join {
            ids.push(join.shortcut());
            ids.extend(join.extra());
        }
        ids
    }
}

impl Action {
    /// The buffers that are read. Those that are added to are among the writes.
    pub fn reads(&self) -> Vec<Id> {
        match self {
            Action::Convolve(c) => [c.x, c.weight].into_iter().chain(c.bias).collect(),
            Action::ConvolveInput { dy, weight, .. } => vec![*dy, *weight],
            Action::ConvolveWeight { x, dy, .. } => vec![*x, *dy],
            Action::Dirac { weight, a, b, .. } => vec![*weight, *a, *b],
            Action::DiracGradient { weight, b, dy, .. } => vec![*weight, *b, *dy],
            Action::Pointwise(pass) => pass.reads(),
            Action::PointwiseGradient(g) => {
                let mut ids = g.pass.reads();
                ids.push(g.dy);
                ids
            }
            Action::CreluGradient { x, dy, .. } | Action::MaxPoolGradient { x, dy, .. } => {
                vec![*x, *dy]
            }
            Action::Concat { a, b, .. } => vec![*a, *b],
            Action::ConcatGradient { dy, .. }
            | Action::AvgPoolGradient { dy, .. }
            | Action::SubsampleGradient { dy, .. }
            | Action::FlattenGradient { dy, .. } => vec![*dy],
            Action::Statistics { x, .. }
            | Action::Crelu { x, .. }
            | Action::MaxPool { x, .. }
            | Action::AvgPool { x, .. }
            | Action::Subsample { x, .. }
            | Action::Flatten { x, .. }
            | Action::Add { x, .. } => vec![*x],
            Action::Mask { .. } => vec![],
            Action::Multiply { x, m, .. } => vec![*x, *m],
            Action::Loss { logits, .. } => vec![*logits],
            Action::Sgd { gradient, .. } => vec![*gradient],
            Action::MoveStatistics { found, .. } => vec![*found],
        }
    }

    /// The buffers that are written, no two of them the same.
    pub fn writes(&self) -> Vec<Id> {
        match self {
            Action::Convolve(c) => [c.y].into_iter().chain(c.statistics).collect(),
            Action::ConvolveWeight { dweight, dbias, .. } => {
                [*dweight].into_iter().chain(*dbias).collect()
            }
            Action::DiracGradient {
                dweight, da, db, ..
            } => vec![*dweight, *da, *db],
            Action::PointwiseGradient(g) => {
                let targets = [g.dx, g.ds, g.dgate].into_iter().flatten();
                let tensors = [g.dalpha, g.dweight, g.dbias].into_iter().flatten();
                targets.map(|target| target.to).chain(tensors).collect()
            }
            Action::ConvolveInput { dx, .. }
            | Action::CreluGradient { dx, .. }
            | Action::ConcatGradient { dx, .. }
            | Action::MaxPoolGradient { dx, .. }
            | Action::AvgPoolGradient { dx, .. }
            | Action::SubsampleGradient { dx, .. }
            | Action::FlattenGradient { dx, .. } => vec![dx.to],
            Action::Pointwise(pass) => vec![pass.y],
            Action::Multiply { y, .. } => vec![y.to],
            Action::Dirac { y, .. }
            | Action::Statistics { y, .. }
            | Action::Crelu { y, .. }
            | Action::Concat { y, .. }
            | Action::MaxPool { y, .. }
            | Action::AvgPool { y, .. }
            | Action::Subsample { y, .. }
            | Action::Flatten { y, .. }
            | Action::Mask { y, .. }
            | Action::Add { y, .. } => vec![*y],
            Action::Loss { gradient, .. } => vec![*gradient],
            Action::Sgd {
                weight, velocity, ..
            } => [*weight].into_iter().chain(*velocity).collect(),
            Action::MoveStatistics { mean, variance, .. } => vec![*mean, *variance],
        }
    }

    /// The convolution's product that this is, if it is one.
    pub fn product(&self) -> Option<Product> {
        let product = |pass, x, y, weight, window| {
            Some(Product {
                pass,
                x,
                y,
                weight,
                window,
            })
        };
        match *self {
            Action::Convolve(c) => product(ConvPass::Forward, c.x, c.y, c.weight, c.window),
            Action::ConvolveInput {
                dy,
                weight,
                dx,
                window,
            } => product(ConvPass::Input, dx.to, dy, weight, window),
            Action::ConvolveWeight {
                x,
                dy,
                dweight,
                window,
                ..
            } => product(ConvPass::Weight, x, dy, dweight, window),
            Action::Dirac { .. }
            | Action::DiracGradient { .. }
            | Action::Statistics { .. }
            | Action::Pointwise(_)
            | Action::PointwiseGradient(_)
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
            | Action::MoveStatistics { .. } => None,
        }
    }

    /// A word for tables and profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Convolve(_) => "convolve",
            Action::ConvolveInput { .. } => "convolve: input gradient",
            Action::ConvolveWeight { .. } => "convolve: weight gradient",
            Action::Dirac { .. } => "dirac weight",
            Action::DiracGradient { .. } => "dirac weight: gradient",
            Action::Statistics { .. } => "statistics",
            Action::Pointwise(_) => "pointwise",
            Action::PointwiseGradient(_) => "pointwise: gradient",
            Action::Crelu { .. } => "crelu",
            Action::CreluGradient { .. } => "crelu: gradient",
            Action::Concat { .. } => "concat",
            Action::ConcatGradient { .. } => "concat: gradient",
            Action::MaxPool { .. } => "max pool",
            Action::MaxPoolGradient { .. } => "max pool: gradient",
            Action::AvgPool { .. } => "avg pool",
            Action::AvgPoolGradient { .. } => "avg pool: gradient",
            Action::Subsample { .. } => "subsample",
            Action::SubsampleGradient { .. } => "subsample: gradient",
            Action::Flatten { .. } => "flatten",
            Action::FlattenGradient { .. } => "flatten: gradient",
            Action::Mask { .. } => "dropout mask",
            Action::Multiply { .. } => "multiply",
            Action::Add { .. } => "add",
            Action::Loss { .. } => "loss",
            Action::Sgd { .. } => "sgd",
            Action::MoveStatistics { .. } => "running statistics",
        }
    }
}
