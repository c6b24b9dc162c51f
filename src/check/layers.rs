//! One call of a layer, or one skip, as an operation with the shape it makes.

use super::call::{Args, Callee, bind};
use super::elaborate::{Elaborator, Flow};
use super::eval::{Scope, eval};
use super::infer::{self, ShapeError};
use super::policy::PolicyValue;
use super::typing::word;
use crate::diag::{Code, Diagnostic};
use crate::ir::{Conv, Gate, Granularity, Layer, Linear, Op, Policy, Pool, Shape, Shortcut, Skip};
use crate::span::Span;
use crate::syntax::ast::{Call, Expr};
use crate::text::grouped;

/// The largest int that a size may have; more could not be a size in any case.
const MAX_SIZE: i64 = 1 << 31;

impl Elaborator<'_, '_> {
    /// What a layer computes and makes; `None` where its output cannot be known.
    pub fn layer(
        &mut self,
        call: &Call,
        layer: &Callee,
        scope: &Scope,
        dirac: bool,
        flow: Flow,
    ) -> Option<(Option<Op>, Shape)> {
        let args = bind(call, layer.slots, None, self.reports);
        let op = self.op(layer.name, &args, scope, dirac)?;
        let input = match (flow.shape, &op) {
            (Some(input), _) => input,
            // What goes in is not known, but what comes out is.
            (None, Op::Linear(linear)) => return Some((None, Shape::Flat(linear.out))),
            (None, _) => return None,
        };
        let output = match &op {
            Op::Conv(conv) => infer::conv(input, conv),
            Op::Linear(linear) => Ok(Shape::Flat(linear.out)),
            Op::MaxPool(pool) | Op::AvgPool(pool) => infer::pool(layer.name, input, pool),
            Op::GlobalAvgPool => infer::global_avg_pool(input),
            Op::Flatten => Ok(Shape::Flat(input.elements())),
            Op::Crelu => Ok(input.with_channels(2 * input.channels())),
            Op::BatchNorm { .. }
            | Op::Relu
            | Op::Elu { .. }
            | Op::LeakyRelu { .. }
            | Op::Tanh
            | Op::Sigmoid
            | Op::Dropout { .. } => Ok(input),
            Op::Concat { .. } | Op::Skip(_) => return None,
        };
        let output = self.fitted(output, call.span, flow)?;
        Some((Some(op), output))
    }

    fn op(&mut self, name: &str, args: &Args, scope: &Scope, dirac: bool) -> Option<Op> {
        Some(match name {
            "conv" => {
                let out = self.size(args, "out", None, scope);
                let kernel = self.size(args, "kernel", None, scope);
                let stride = self.size(args, "stride", Some(1), scope);
                let bias = self.flag(args, "bias", false, scope);
                Op::Conv(Conv {
                    padding: self.padding(args, kernel?, scope)?,
                    out: out?,
                    kernel: kernel?,
                    stride: stride?,
                    bias: bias?,
                    dirac,
                })
            }
            "linear" => {
                let out = self.size(args, "out", None, scope);
                let bias = self.flag(args, "bias", true, scope);
                Op::Linear(Linear {
                    out: out?,
                    bias: bias?,
                    dirac,
                })
            }
            "batch_norm" => {
                let momentum = self.number(args, "momentum", 0.1, Bounds::Share, scope);
                let eps = self.number(args, "eps", 1e-5, Bounds::Positive, scope);
                Op::BatchNorm {
                    momentum: momentum?,
                    eps: eps?,
                }
            }
            "relu" => Op::Relu,
            "elu" => Op::Elu {
                alpha: self.number(args, "alpha", 1.0, Bounds::NotNegative, scope)?,
            },
            "leaky_relu" => Op::LeakyRelu {
                slope: self.number(args, "slope", 0.01, Bounds::Any, scope)?,
            },
            "crelu" => Op::Crelu,
            "tanh" => Op::Tanh,
            "sigmoid" => Op::Sigmoid,
            "max_pool" => Op::MaxPool(self.pool(args, scope)?),
            "avg_pool" => Op::AvgPool(self.pool(args, scope)?),
            "global_avg_pool" => Op::GlobalAvgPool,
            "flatten" => Op::Flatten,
            "dropout" => {
                args.get("p")?;
                Op::Dropout {
                    p: self.number(args, "p", 0.5, Bounds::BelowOne, scope)?,
                }
            }
            _ => return None,
        })
    }

    fn pool(&mut self, args: &Args, scope: &Scope) -> Option<Pool> {
        let kernel = self.size(args, "kernel", None, scope);
        let stride = match args.get("stride") {
            Some(_) => self.size(args, "stride", None, scope),
            None => kernel,
        };
        Some(Pool {
            kernel: kernel?,
            stride: stride?,
        })
    }

    fn padding(&mut self, args: &Args, kernel: usize, scope: &Scope) -> Option<usize> {
        let given = args.get("padding");
        if let Some(pixels) = given.filter(|value| word(value) != Some("same")) {
            return self.at_least(0, pixels, &args.what("padding"), scope);
        }
        if kernel % 2 == 1 {
            return Some((kernel - 1) / 2);
        }
        let default = if given.is_none() {
            ", the default,"
        } else {
            ""
        };
        let message = format!("`padding: same`{default} needs an odd kernel, not {kernel}");
        let place = args.get("kernel")?.span;
        let report = Diagnostic::new(Code::Value, message, place, "an even kernel has no centre");
        let report = match given {
            Some(same) => report.also(same.span, "asked for here"),
            None => report,
        };
        self.reports.add(report.help(format!(
            "use a kernel of {} or {}, or give the padding in pixels: `padding: {}`",
            kernel - 1,
            kernel + 1,
            kernel / 2
        )));
        None
    }

    /// The skip over `body`, which makes `output` of `input`.
    pub fn skip(
        &mut self,
        policy: PolicyValue,
        project: Option<&str>,
        input: Shape,
        output: Shape,
        body: Vec<Layer>,
    ) -> Result<Skip, ShapeError> {
        let shortcut = match policy.has_shortcut() {
            true => infer::shortcut(input, output, &body, project)?,
            false => Shortcut::Identity,
        };
        let policy = match policy {
            PolicyValue::Plain => Policy::Plain,
            PolicyValue::Resnet { scale } => Policy::Resnet { scale },
            PolicyValue::Highway { bias } => Policy::Highway {
                bias,
                gate: match input {
                    Shape::Image { .. } => Gate::Conv(infer::gate(input, output, &body)?),
                    Shape::Flat(_) => Gate::Linear,
                },
            },
            PolicyValue::Dirac => Policy::Dirac,
            PolicyValue::Variable { form, enforced } => Policy::Variable {
                form,
                enforced,
                alpha: match self.granularity {
                    Granularity::Channel => vec![output.channels()],
                    Granularity::Layer => vec![1],
                    Granularity::Unit => output.dims(),
                },
            },
        };
        Ok(Skip {
            policy,
            shortcut,
            body,
        })
    }

    /// The int of `expr`, which must be `least` or more and a possible size.
    pub fn at_least(
        &mut self,
        least: i64,
        expr: &Expr,
        what: &str,
        scope: &Scope,
    ) -> Option<usize> {
        let value = eval(expr, scope, self.reports)?.int()?;
        if (least..=MAX_SIZE).contains(&value) {
            return Some(value as usize);
        }
        let (message, help) = match value < least {
            true => (
                format!("{what} is {value}, but must be at least {least}"),
                format!("use {least} or more"),
            ),
            false => (
                format!(
                    "{what} is {}; the limit is {}",
                    grouped(value as u128),
                    grouped(MAX_SIZE as u128)
                ),
                "use a smaller number".to_string(),
            ),
        };
        let code = if value < least {
            Code::Value
        } else {
            Code::Limit
        };
        let label = format!("this is {value}");
        self.reports
            .add(Diagnostic::new(code, message, expr.span, label).help(help));
        None
    }

    /// An argument that is at least 1.
    fn size(
        &mut self,
        args: &Args,
        name: &str,
        default: Option<usize>,
        scope: &Scope,
    ) -> Option<usize> {
        match args.get(name) {
            Some(expr) => self.at_least(1, expr, &args.what(name), scope),
            None => default,
        }
    }

    fn flag(&mut self, args: &Args, name: &str, default: bool, scope: &Scope) -> Option<bool> {
        match args.get(name) {
            Some(expr) => eval(expr, scope, self.reports)?.bool(),
            None => Some(default),
        }
    }

    fn number(
        &mut self,
        args: &Args,
        name: &str,
        default: f64,
        bounds: Bounds,
        scope: &Scope,
    ) -> Option<f64> {
        let Some(expr) = args.get(name) else {
            return Some(default);
        };
        let value = eval(expr, scope, self.reports)?.float()?;
        match bounds.broken_by(value, &args.what(name), expr.span, default) {
            Some(report) => {
                self.reports.add(report);
                None
            }
            None => Some(value),
        }
    }
}

/// What a float may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    Any,
    Positive,
    NotNegative,
    /// In (0, 1].
    Share,
    /// In [0, 1).
    BelowOne,
    /// In [0, 1].
    Unit,
}

impl Bounds {
    /// The report for a value out of bounds; `example` is within.
    pub fn broken_by(self, value: f64, what: &str, span: Span, example: f64) -> Option<Diagnostic> {
        let (sound, must) = match self {
            Bounds::Any => (true, ""),
            Bounds::Positive => (value > 0.0, "above 0"),
            Bounds::NotNegative => (value >= 0.0, "0 or more"),
            Bounds::Share => (value > 0.0 && value <= 1.0, "above 0 and at most 1"),
            Bounds::BelowOne => ((0.0..1.0).contains(&value), "at least 0 and below 1"),
            Bounds::Unit => ((0.0..=1.0).contains(&value), "between 0 and 1"),
        };
        if sound {
            return None;
        }
        let message = format!("{what} is {value}, but must be {must}");
        let label = format!("this is {value}");
        let help = format!("use a number such as {example}");
        Some(Diagnostic::new(Code::Value, message, span, label).help(help))
    }
}
