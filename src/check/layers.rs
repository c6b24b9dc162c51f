//! One call of a layer, or one skip, as an operation with the shape it makes.

use super::call::{Callee, bind};
use super::elaborate::{Elaborator, Flow};
use super::eval::{Scope, eval};
use super::infer::{self, Misfit};
use super::policy::PolicyValue;
use super::typing::word;
use crate::diag::{Code, Diagnostic};
use crate::ir::{Conv, Gate, Granularity, Layer, Linear, Op, Policy, Pool, Shape, Shortcut, Skip};
use crate::span::Span;
use crate::syntax::ast::{Call, Expr};

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
        let given = bind(call, layer.slots, None, self.reports);
        let op = self.op(layer.name, &given, call, scope, dirac)?;
        let input = flow.shape?;
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
        let output = self.fitted(output, call.span, flow.from)?;
        self.limit_elements(infer::weight_elements(input, &op), "its weight", call.span)?;
        Some((Some(op), output))
    }

    fn op(
        &mut self,
        name: &str,
        given: &[Option<&Expr>],
        call: &Call,
        scope: &Scope,
        dirac: bool,
    ) -> Option<Op> {
        Some(match name {
            "conv" => {
                let out = self.at_least(1, given[0]?, "`out`", scope);
                let kernel = self.at_least(1, given[1]?, "`kernel`", scope);
                let stride = self.or(1, given[2], "`stride`", scope);
                let bias = self.flag(given[4], false, scope);
                Op::Conv(Conv {
                    padding: self.padding(given[3], kernel?, given[1]?, scope)?,
                    out: out?,
                    kernel: kernel?,
                    stride: stride?,
                    bias: bias?,
                    dirac,
                })
            }
            "linear" => Op::Linear(Linear {
                out: self.at_least(1, given[0]?, "`out`", scope)?,
                bias: self.flag(given[1], true, scope)?,
                dirac,
            }),
            "batch_norm" => Op::BatchNorm {
                momentum: self.number(given[0], 0.1, "`momentum`", Bounds::Share, scope)?,
                eps: self.number(given[1], 1e-5, "`eps`", Bounds::Positive, scope)?,
            },
            "relu" => Op::Relu,
            "elu" => Op::Elu {
                alpha: self.number(given[0], 1.0, "`alpha`", Bounds::NotNegative, scope)?,
            },
            "leaky_relu" => Op::LeakyRelu {
                slope: self.number(given[0], 0.01, "`slope`", Bounds::Any, scope)?,
            },
            "crelu" => Op::Crelu,
            "tanh" => Op::Tanh,
            "sigmoid" => Op::Sigmoid,
            "max_pool" => Op::MaxPool(self.pool(given, scope)?),
            "avg_pool" => Op::AvgPool(self.pool(given, scope)?),
            "global_avg_pool" => Op::GlobalAvgPool,
            "flatten" => Op::Flatten,
            "dropout" => Op::Dropout {
                p: self.number(Some(given[0]?), 0.0, "`p`", Bounds::BelowOne, scope)?,
            },
            _ => {
                let message = format!("`{name}` is no layer");
                self.reports
                    .add(Diagnostic::new(Code::Name, message, call.span, ""));
                return None;
            }
        })
    }

    fn pool(&mut self, given: &[Option<&Expr>], scope: &Scope) -> Option<Pool> {
        let kernel = self.at_least(1, given[0]?, "`kernel`", scope);
        let stride = match given[1] {
            Some(stride) => self.at_least(1, stride, "`stride`", scope),
            None => kernel,
        };
        Some(Pool {
            kernel: kernel?,
            stride: stride?,
        })
    }

    fn padding(
        &mut self,
        given: Option<&Expr>,
        kernel: usize,
        kernel_expr: &Expr,
        scope: &Scope,
    ) -> Option<usize> {
        match given {
            Some(number) if word(number) != Some("same") => {
                self.at_least(0, number, "`padding`", scope)
            }
            _ if kernel % 2 == 1 => Some((kernel - 1) / 2),
            same => {
                let message = format!("`padding: same` needs an odd kernel, not {kernel}");
                let report =
                    Diagnostic::new(Code::Value, message, kernel_expr.span, "this is even");
                let report = match same {
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
        }
    }

    /// The skip over `body`, which makes `output` of `input`.
    pub fn skip(
        &mut self,
        policy: PolicyValue,
        project: Option<&str>,
        input: Shape,
        output: Shape,
        body: Vec<Layer>,
    ) -> Result<Skip, Misfit> {
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
                format!("{what} is {value}, which is over 2³¹"),
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

    fn or(
        &mut self,
        default: usize,
        given: Option<&Expr>,
        what: &str,
        scope: &Scope,
    ) -> Option<usize> {
        match given {
            Some(expr) => self.at_least(1, expr, what, scope),
            None => Some(default),
        }
    }

    fn flag(&mut self, given: Option<&Expr>, default: bool, scope: &Scope) -> Option<bool> {
        match given {
            Some(expr) => eval(expr, scope, self.reports)?.bool(),
            None => Some(default),
        }
    }

    fn number(
        &mut self,
        given: Option<&Expr>,
        default: f64,
        what: &str,
        bounds: Bounds,
        scope: &Scope,
    ) -> Option<f64> {
        let Some(expr) = given else {
            return Some(default);
        };
        let value = eval(expr, scope, self.reports)?.float()?;
        match bounds.broken_by(value, what, expr.span) {
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
    /// The report for a value out of bounds.
    pub fn broken_by(self, value: f64, what: &str, span: Span) -> Option<Diagnostic> {
        let (sound, must, example) = match self {
            Bounds::Any => (true, "", ""),
            Bounds::Positive => (value > 0.0, "over 0", "a positive number"),
            Bounds::NotNegative => (value >= 0.0, "0 or more", "0 or a positive number"),
            Bounds::Share => (value > 0.0 && value <= 1.0, "over 0 and at most 1", "0.1"),
            Bounds::BelowOne => ((0.0..1.0).contains(&value), "in 0..1, without 1", "0.5"),
            Bounds::Unit => ((0.0..=1.0).contains(&value), "in 0..=1", "0 or 1"),
        };
        if sound {
            return None;
        }
        let message = format!("{what} is {value}, but must be {must}");
        let label = format!("this is {value}");
        Some(Diagnostic::new(Code::Value, message, span, label).help(format!("use {example}")))
    }
}
