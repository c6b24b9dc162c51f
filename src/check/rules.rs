//! The training settings: `train { … }` and the flags that replace parts of it.

use super::call::{
    AUGMENTS, CONSTRAINTS, Callee, DATASETS, INITS, Kind, LOSSES, OPTIMIZERS, SCHEDULES, bind, find,
};
use super::declarations::Declarations;
use super::eval::{Params, Scope, eval};
use super::layers::Bounds;
use super::report::{Reports, suggest};
use super::typing::{check_args, check_kind, type_of, word};
use super::value::Type;
use super::{Flag, Target};
use crate::diag::{Code, Diagnostic};
use crate::ir::{
    Augment, Constraint, Data, DatasetKind, Every, Granularity, Init, Loss, Schedule, Sgd,
    Synthetic, Train,
};
use crate::span::Span;
use crate::syntax::ast::{Call, Expr, ExprKind, Ident};

/// The keys of `train { … }`.
pub(super) const SETTINGS: [&str; 9] = [
    "data",
    "loss",
    "init",
    "optimizer",
    "schedule",
    "constraint",
    "epochs",
    "batch",
    "seed",
];

/// The settings: the file's over the defaults, then the flags' over those.
pub(super) fn resolve(
    declared: &Declarations,
    params: &Params,
    flags: &[Flag],
    reports: &mut Reports,
) -> Train {
    let mut train = Train::default();
    let scope = Scope::new(params);
    let mut seen: Vec<&Ident> = Vec::new();
    for setting in declared.train.iter().flat_map(|section| &section.settings) {
        let key = &setting.key;
        match seen.iter().find(|other| other.node == key.node) {
            Some(first) => reports.add(set_twice(key, first.span)),
            None => {
                let mut rules = Rules {
                    scope: &scope,
                    train: &mut train,
                    reports,
                };
                rules.set(&key.node, key.span, &setting.value);
            }
        }
        seen.push(key);
    }
    // A flag's value stands alone: it cannot name params.
    let none = Params::new();
    let scope = Scope::new(&none);
    for flag in flags.iter().filter(|flag| flag.target == Target::Setting) {
        let augment = train.data.augment.clone();
        let mut rules = Rules {
            scope: &scope,
            train: &mut train,
            reports,
        };
        rules.set(flag.name, flag.value.span, &flag.value);
        // `--data` chooses other images; how they are varied stays, unless it says.
        if flag.name == "data" && train.data.augment.is_empty() {
            train.data.augment = augment;
        }
    }
    train
}

fn set_twice(key: &Ident, first: Span) -> Diagnostic {
    let message = format!("`{}` is set twice", key.node);
    Diagnostic::new(Code::Name, message, key.span, "set again here")
        .also(first, "first set here")
        .help("remove one of them")
}

/// The arguments of a call, by the callee's slots.
type Given<'e> = Vec<Option<&'e Expr>>;

struct Rules<'a, 'r> {
    scope: &'a Scope<'a>,
    train: &'r mut Train,
    reports: &'r mut Reports,
}

impl Rules<'_, '_> {
    fn set(&mut self, key: &str, key_span: Span, value: &Expr) {
        match key {
            "data" => self.data(value),
            "loss" => {
                if let Some(("cross_entropy", _)) = self.call(value, LOSSES, "loss") {
                    self.train.loss = Loss::CrossEntropy;
                }
            }
            "init" => self.init(value),
            "optimizer" => self.optimizer(value),
            "schedule" => self.schedule(value),
            "constraint" => self.constraint(value),
            "epochs" => self.train.epochs = self.count(value, "`epochs`", self.train.epochs),
            "batch" => self.train.batch = self.count(value, "`batch`", self.train.batch),
            "seed" => {
                let seed = self.int(Some(value), 0, "`seed`", i64::MAX);
                self.train.seed = seed.map_or(self.train.seed, |seed| seed as u64);
            }
            "rate" => {
                let rate = self.train.optimizer.rate;
                self.train.optimizer.rate =
                    self.float(Some(value), rate, "the rate", Bounds::NotNegative);
            }
            _ => {
                let message = format!("`train` has no setting `{key}`");
                self.reports.add(
                    Diagnostic::new(Code::Name, message, key_span, "no such setting")
                        .help(suggest(key, &SETTINGS, "setting")),
                );
            }
        }
    }

    /// The name that `value` calls and its arguments, checked against `known`.
    fn call<'e>(
        &mut self,
        value: &'e Expr,
        known: &'static [Callee],
        kind: &str,
    ) -> Option<(&'static str, Given<'e>)> {
        let ExprKind::Call(call) = &value.kind else {
            let names: Vec<&str> = known.iter().map(|callee| callee.name).collect();
            let message = format!("{kind} is a name, with its settings in parentheses");
            self.reports.add(
                Diagnostic::new(Code::Type, message, value.span, "not a name")
                    .help(suggest("", &names, kind)),
            );
            return None;
        };
        let callee = find(call, known, kind, self.reports)?;
        check_args(call, callee.slots, None, self.scope, self.reports);
        Some((callee.name, bind(call, callee.slots, None, self.reports)))
    }

    fn data(&mut self, value: &Expr) {
        let Some((name, given)) = self.call(value, DATASETS, "dataset") else {
            return;
        };
        let kind = match name {
            "synthetic" => DatasetKind::Synthetic(self.synthetic(&given)),
            "mnist" => DatasetKind::Mnist,
            "fashion_mnist" => DatasetKind::FashionMnist,
            "cifar10" => DatasetKind::Cifar10,
            "cifar100" => DatasetKind::Cifar100,
            _ => DatasetKind::Folder,
        };
        let augment = match given.last().copied().flatten().map(|list| &list.kind) {
            Some(ExprKind::List(items)) => items.iter().filter_map(|i| self.augment(i)).collect(),
            _ => Vec::new(),
        };
        self.train.data = Data { kind, augment };
    }

    fn synthetic(&mut self, given: &Given) -> Synthetic {
        let default = Synthetic::default();
        Synthetic {
            train: self.optional_count(given[0], "`train`", default.train),
            test: self.optional_count(given[1], "`test`", default.test),
            noise: self.float(given[2], default.noise, "`noise`", Bounds::Unit),
            seed: self
                .int(given[3], 0, "`seed`", i64::MAX)
                .map_or(default.seed, |n| n as u64),
        }
    }

    fn augment(&mut self, value: &Expr) -> Option<Augment> {
        let (name, given) = self.call(value, AUGMENTS, "augmentation")?;
        match name {
            "pad_crop" => {
                let pixels = self.int(given[0], 1, "`pixels`", 1 << 16)?;
                Some(Augment::PadCrop(pixels as usize))
            }
            _ => Some(Augment::FlipHorizontal),
        }
    }

    fn init(&mut self, value: &Expr) {
        if let Some((name, _)) = self.call(value, INITS, "initialisation") {
            self.train.init = match name {
                "he_normal" => Init::HeNormal,
                "glorot_uniform" => Init::GlorotUniform,
                _ => Init::Orthogonal,
            };
        }
    }

    fn optimizer(&mut self, value: &Expr) {
        let Some((_, given)) = self.call(value, OPTIMIZERS, "optimizer") else {
            return;
        };
        let default = Sgd::default();
        let sgd = Sgd {
            rate: self.float(given[0], default.rate, "`rate`", Bounds::NotNegative),
            momentum: self.float(given[1], default.momentum, "`momentum`", Bounds::BelowOne),
            nesterov: self.boolean(given[2], default.nesterov),
            weight_decay: self.float(given[3], 0.0, "`weight_decay`", Bounds::NotNegative),
        };
        if let (true, true, Some(nesterov)) = (sgd.nesterov, sgd.momentum == 0.0, given[2]) {
            let message = "Nesterov's form needs momentum";
            self.reports.add(
                Diagnostic::new(Code::Train, message, nesterov.span, "asked for here")
                    .help("set `momentum: 0.9`, or remove `nesterov`"),
            );
        }
        self.train.optimizer = sgd;
    }

    fn schedule(&mut self, value: &Expr) {
        let Some((name, given)) = self.call(value, SCHEDULES, "schedule") else {
            return;
        };
        self.train.schedule = match name {
            "constant" => Schedule::Constant,
            "cosine" => Schedule::Cosine {
                warmup: self.float(given[0], 0.0, "`warmup`", Bounds::NotNegative),
            },
            _ => Schedule::Step {
                at: given[0]
                    .map(|list| self.epochs_of(list))
                    .unwrap_or_default(),
                factor: self.float(given[1], 0.1, "`factor`", Bounds::Positive),
            },
        };
    }

    /// The epochs of `at: […]`, which ascend.
    fn epochs_of(&mut self, list: &Expr) -> Vec<usize> {
        let ExprKind::List(items) = &list.kind else {
            return Vec::new();
        };
        let mut epochs: Vec<usize> = Vec::new();
        for item in items {
            let Some(epoch) = self.int(Some(item), 0, "an epoch of `at`", 1 << 31) else {
                continue;
            };
            if epochs.last().is_some_and(|&last| last >= epoch as usize) {
                let message = "the epochs of `at` ascend";
                self.reports.add(
                    Diagnostic::new(Code::Value, message, item.span, "not after the one before")
                        .help("put them in order, each once"),
                );
            }
            epochs.push(epoch as usize);
        }
        epochs
    }

    fn constraint(&mut self, value: &Expr) {
        let Some((_, given)) = self.call(value, CONSTRAINTS, "constraint") else {
            return;
        };
        let default = Constraint::default();
        let positive = Bounds::NotNegative;
        self.train.constraint = Constraint {
            alpha: self.float(given[0], default.alpha, "`alpha`", Bounds::Unit),
            lambda: self.float(given[1], default.lambda, "`lambda`", Bounds::Any),
            alpha_rate: self.float(given[2], default.alpha_rate, "`alpha_rate`", positive),
            lambda_rate: self.float(given[3], default.lambda_rate, "`lambda_rate`", positive),
            every: match given[4].and_then(word) {
                Some("epoch") => Every::Epoch,
                _ => Every::Step,
            },
            alpha_granularity: match given[5].and_then(word) {
                Some("layer") => Granularity::Layer,
                Some("unit") => Granularity::Unit,
                _ => Granularity::Channel,
            },
        };
    }

    /// The int of `given` in `least..=most`; `None` without one or with a wrong one.
    fn int(&mut self, given: Option<&Expr>, least: i64, what: &str, most: i64) -> Option<i64> {
        let expr = given?;
        if !check_kind(expr, Kind::Int, what, self.scope, self.reports) {
            return None;
        }
        let value = eval(expr, self.scope, self.reports)?.int()?;
        if (least..=most).contains(&value) {
            return Some(value);
        }
        let (must, bound) = match value < least {
            true => ("at least", least),
            false => ("at most", most),
        };
        let message = format!("{what} is {value}, but must be {must} {bound}");
        let label = format!("this is {value}");
        self.reports.add(
            Diagnostic::new(Code::Value, message, expr.span, label)
                .help(format!("use a number from {least} to {most}")),
        );
        None
    }

    fn optional_count(&mut self, given: Option<&Expr>, what: &str, default: usize) -> usize {
        self.int(given, 1, what, 1 << 31)
            .map_or(default, |n| n as usize)
    }

    fn count(&mut self, value: &Expr, what: &str, default: usize) -> usize {
        self.optional_count(Some(value), what, default)
    }

    fn float(&mut self, given: Option<&Expr>, default: f64, what: &str, bounds: Bounds) -> f64 {
        let Some(expr) = given else { return default };
        if !check_kind(expr, Kind::Float, what, self.scope, self.reports) {
            return default;
        }
        let Some(value) = eval(expr, self.scope, self.reports).and_then(|v| v.float()) else {
            return default;
        };
        match bounds.broken_by(value, what, expr.span) {
            Some(report) => {
                self.reports.add(report);
                default
            }
            None => value,
        }
    }

    fn boolean(&mut self, given: Option<&Expr>, default: bool) -> bool {
        let value = given.and_then(|expr| {
            type_of(expr, self.scope, self.reports).filter(|kind| *kind == Type::Bool)?;
            eval(expr, self.scope, self.reports)?.bool()
        });
        value.unwrap_or(default)
    }
}

/// The call of the setting `key` in the file, for reports about it.
pub(super) fn setting<'a>(declared: &Declarations<'a>, key: &str) -> Option<&'a Expr> {
    let settings = declared.train.iter().flat_map(|section| &section.settings);
    let setting = settings.into_iter().find(|setting| setting.key.node == key);
    setting.map(|setting| &setting.value)
}

/// Where the arguments of a call begin: the name of what is called.
pub(super) fn name_span(value: &Expr) -> Span {
    match &value.kind {
        ExprKind::Call(Call { name, .. }) => name.span,
        _ => value.span,
    }
}
