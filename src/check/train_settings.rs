//! The training settings: `train { … }` and the flags that replace parts of it.

use super::call::{
    AUGMENTS, Args, CONSTRAINTS, Callee, DATASETS, INITS, Kind, LOSSES, OPTIMIZERS, SCHEDULES,
    bind, find,
};
use super::declarations::Declarations;
use super::eval::{Params, Scope, eval};
use super::layers::Bounds;
use super::report::{Reports, suggest};
use super::typing::{check_args, check_kind, type_of, word};
use super::value::Type;
use super::{Flag, OverrideTarget};
use crate::diag::{Code, Diagnostic};
use crate::ir::{
    Augment, Constraint, Data, DatasetKind, Every, Granularity, Init, Loss, Optimizer, Schedule,
    Sgd, Synthetic, Train,
};
use crate::span::Span;
use crate::suggest::nearest;
use crate::syntax::ast::{Call, Expr, ExprKind, Ident};
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// The greatest number of epochs or images.
const MAX_COUNT: i64 = 1 << 31;

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

/// The settings, and where the dataset is named, if it is.
pub(super) struct Resolved {
    pub train: Train,
    pub data: Option<Span>,
}

/// The settings: the file's over the defaults, then the flags' over those.
pub(super) fn resolve(
    declared: &Declarations,
    params: &Params,
    flags: &[Flag],
    reports: &mut Reports,
) -> Resolved {
    let mut resolved = Resolved {
        train: Train::default(),
        data: None,
    };
    let scope = Scope::new(params);
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for setting in declared.train.iter().flat_map(|section| &section.settings) {
        if reports.is_full() {
            return resolved;
        }
        let key = &setting.key;
        match seen.insert(&key.node, key.span) {
            Some(first) => reports.add(set_twice(key, first)),
            None => SettingsReader {
                scope: &scope,
                resolved: &mut resolved,
                reports,
            }
            .set(&key.node, key.span, &setting.value),
        }
    }
    // A flag's value stands alone: it cannot name params.
    let none = Params::new();
    let scope = Scope::new(&none);
    let settings = || {
        flags
            .iter()
            .filter(|flag| flag.target == OverrideTarget::Setting)
    };
    for flag in settings().filter(|flag| flag.name != "rate") {
        let augment = resolved.train.data.augment.clone();
        let mut reader = SettingsReader {
            scope: &scope,
            resolved: &mut resolved,
            reports,
        };
        reader.set(flag.name, flag.value.span, &flag.value);
        // `--data` chooses other images; how they are varied stays, unless it says.
        if flag.name == "data" && resolved.train.data.augment.is_empty() {
            resolved.train.data.augment = augment;
        }
    }
    // The optimizer may have been replaced: its rate comes last.
    for flag in settings().filter(|flag| flag.name == "rate") {
        let mut reader = SettingsReader {
            scope: &scope,
            resolved: &mut resolved,
            reports,
        };
        reader.rate(&flag.value);
    }
    resolved
}

fn set_twice(key: &Ident, first: Span) -> Diagnostic {
    let message = format!("`{}` is set twice", key.node);
    Diagnostic::new(Code::Name, message, key.span, "set again here")
        .also(first, "first set here")
        .help("remove one of them")
}

fn unknown_setting(key: &str, span: Span) -> Diagnostic {
    let message = format!("`train` has no setting `{key}`");
    let report = Diagnostic::new(Code::Name, message, span, "no such setting");
    let parts = [
        ("optimizer", OPTIMIZERS),
        ("schedule", SCHEDULES),
        ("constraint", CONSTRAINTS),
    ];
    let mut slots = parts.iter().flat_map(|(setting, callees)| {
        let slots = callees
            .iter()
            .flat_map(|c| c.slots.iter().map(move |slot| (c.name, slot)));
        slots.map(move |(callee, slot)| (*setting, callee, slot.name))
    });
    let inside = slots.find(|(.., name)| nearest(key, [*name]).is_some());
    match inside {
        Some((setting, callee, name)) if nearest(key, SETTINGS).is_none() => {
            report.help(format!("write `{setting}: {callee}({name}: …)`"))
        }
        _ => report.help(suggest(key, &SETTINGS, "setting")),
    }
}

struct SettingsReader<'a, 'r> {
    scope: &'a Scope<'a>,
    resolved: &'r mut Resolved,
    reports: &'r mut Reports,
}

impl SettingsReader<'_, '_> {
    fn set(&mut self, key: &str, key_span: Span, value: &Expr) {
        match key {
            "data" => self.data(value),
            "loss" => self.loss(value),
            "init" => self.init(value),
            "optimizer" => self.optimizer(value),
            "schedule" => self.schedule(value),
            "constraint" => self.constraint(value),
            "epochs" => {
                let epochs = self.resolved.train.epochs;
                self.resolved.train.epochs = self.count(Some(value), "`epochs`", epochs);
            }
            "batch" => {
                let batch = self.resolved.train.batch;
                self.resolved.train.batch = self.count(Some(value), "`batch`", batch);
            }
            "seed" => {
                let seed = self.resolved.train.seed;
                self.resolved.train.seed = self.seed(Some(value), "`seed`", seed);
            }
            _ => self.reports.add(unknown_setting(key, key_span)),
        }
    }

    /// The name that `value` calls and its arguments, checked against `known`.
    fn call<'e>(
        &mut self,
        value: &'e Expr,
        known: &'static [Callee],
        kind: &str,
    ) -> Option<(&'static str, Args<'e, 'static>)> {
        let ExprKind::Call(call) = &value.kind else {
            let names: Vec<&str> = known.iter().map(|callee| callee.name).collect();
            let article = if kind.starts_with(['a', 'i', 'o']) {
                "an"
            } else {
                "a"
            };
            let message = format!("{article} {kind} is named, with its settings in parentheses");
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
        let Some((name, args)) = self.call(value, DATASETS, "dataset") else {
            return;
        };
        let kind = match name {
            "synthetic" => DatasetKind::Synthetic(self.synthetic(&args)),
            "mnist" => DatasetKind::Mnist,
            "fashion_mnist" => DatasetKind::FashionMnist,
            "cifar10" => DatasetKind::Cifar10,
            "cifar100" => DatasetKind::Cifar100,
            _ => DatasetKind::Folder,
        };
        let augment = match args.get("augment").map(|list| &list.kind) {
            Some(ExprKind::List(items)) => items.iter().filter_map(|i| self.augment(i)).collect(),
            _ => Vec::new(),
        };
        self.resolved.train.data = Data { kind, augment };
        self.resolved.data = Some(name_span(value));
    }

    fn synthetic(&mut self, args: &Args) -> Synthetic {
        let default = Synthetic::default();
        Synthetic {
            train: self.count(args.get("train"), &args.what("train"), default.train),
            test: self.count(args.get("test"), &args.what("test"), default.test),
            noise: self.float(args, "noise", default.noise, Bounds::Unit),
            seed: self.seed(args.get("seed"), &args.what("seed"), default.seed),
        }
    }

    fn augment(&mut self, value: &Expr) -> Option<Augment> {
        let (name, args) = self.call(value, AUGMENTS, "augmentation")?;
        match name {
            "pad_crop" => {
                let what = args.what("pixels");
                let pixels = self.int(args.get("pixels")?, 1..=1 << 16, &what)?;
                Some(Augment::PadCrop(pixels as usize))
            }
            _ => Some(Augment::FlipHorizontal),
        }
    }

    fn loss(&mut self, value: &Expr) {
        if self.call(value, LOSSES, "loss").is_some() {
            self.resolved.train.loss = Loss::CrossEntropy;
        }
    }

    fn init(&mut self, value: &Expr) {
        if let Some((name, _)) = self.call(value, INITS, "initialisation") {
            self.resolved.train.init = match name {
                "he_normal" => Init::HeNormal,
                "glorot_uniform" => Init::GlorotUniform,
                _ => Init::Orthogonal,
            };
        }
    }

    fn rate(&mut self, value: &Expr) {
        let rate = self.resolved.train.optimizer.rate();
        let rate = self.number(Some(value), rate, "`--rate`", Bounds::NotNegative);
        let optimizer = self.resolved.train.optimizer.with_rate(rate);
        self.resolved.train.optimizer = optimizer;
    }

    fn optimizer(&mut self, value: &Expr) {
        let Some((_, args)) = self.call(value, OPTIMIZERS, "optimizer") else {
            return;
        };
        let default = Sgd::default();
        let sgd = Sgd {
            rate: self.float(&args, "rate", default.rate, Bounds::NotNegative),
            momentum: self.float(&args, "momentum", default.momentum, Bounds::BelowOne),
            nesterov: self.boolean(args.get("nesterov"), default.nesterov),
            weight_decay: self.float(
                &args,
                "weight_decay",
                default.weight_decay,
                Bounds::NotNegative,
            ),
        };
        if let (true, true, Some(nesterov)) =
            (sgd.nesterov, sgd.momentum == 0.0, args.get("nesterov"))
        {
            let message = "Nesterov's step needs momentum";
            let report = Diagnostic::new(Code::Train, message, nesterov.span, "asked for here");
            let report = match args.get("momentum") {
                Some(momentum) => report.also(momentum.span, "no momentum"),
                None => report,
            };
            self.reports
                .add(report.help("write `momentum: 0.9`, or remove `nesterov`"));
        }
        self.resolved.train.optimizer = Optimizer::Sgd(sgd);
    }

    fn schedule(&mut self, value: &Expr) {
        let Some((name, args)) = self.call(value, SCHEDULES, "schedule") else {
            return;
        };
        self.resolved.train.schedule = match name {
            "constant" => Schedule::Constant,
            "cosine" => Schedule::Cosine {
                warmup: self.float(&args, "warmup", 0.0, Bounds::NotNegative),
            },
            _ => Schedule::Step {
                at: args
                    .get("at")
                    .map(|list| self.epochs_of(list))
                    .unwrap_or_default(),
                factor: self.float(&args, "factor", 0.1, Bounds::Positive),
            },
        };
    }

    /// The epochs of `at: […]`, which ascend.
    fn epochs_of(&mut self, list: &Expr) -> Vec<usize> {
        let ExprKind::List(items) = &list.kind else {
            return Vec::new();
        };
        let mut epochs: Vec<usize> = Vec::new();
        let mut before: Option<Span> = None;
        for item in items {
            let Some(epoch) = self.int(item, 0..=MAX_COUNT, "an epoch of `at`") else {
                continue;
            };
            if let (Some(&last), Some(span)) = (epochs.last(), before)
                && last >= epoch as usize
            {
                let message = format!("epoch {epoch} of `at` does not come after epoch {last}");
                self.reports.add(
                    Diagnostic::new(Code::Value, message, item.span, "too early")
                        .also(span, "this comes before it")
                        .help("list the epochs in order, each once"),
                );
            }
            epochs.push(epoch as usize);
            before = Some(item.span);
        }
        epochs
    }

    fn constraint(&mut self, value: &Expr) {
        let Some((_, args)) = self.call(value, CONSTRAINTS, "constraint") else {
            return;
        };
        let default = Constraint::default();
        let rate = Bounds::NotNegative;
        self.resolved.train.constraint = Constraint {
            alpha: self.float(&args, "alpha", default.alpha, Bounds::Unit),
            lambda: self.float(&args, "lambda", default.lambda, Bounds::Any),
            alpha_rate: self.float(&args, "alpha_rate", default.alpha_rate, rate),
            lambda_rate: self.float(&args, "lambda_rate", default.lambda_rate, rate),
            every: match args.get("every").and_then(word) {
                Some("epoch") => Every::Epoch,
                _ => Every::Step,
            },
            alpha_granularity: match args.get("alpha_granularity").and_then(word) {
                Some("layer") => Granularity::Layer,
                Some("unit") => Granularity::Unit,
                _ => Granularity::Channel,
            },
        };
    }

    /// The int of `expr` in `range`; `None` where it is wrong.
    fn int(&mut self, expr: &Expr, range: RangeInclusive<i64>, what: &str) -> Option<i64> {
        if !check_kind(expr, Kind::Int, what, self.scope, self.reports) {
            return None;
        }
        let value = eval(expr, self.scope, self.reports)?.int()?;
        if range.contains(&value) {
            return Some(value);
        }
        let (must, bound, help) = match value < *range.start() {
            true => (
                "at least",
                range.start(),
                format!("use {} or more", range.start()),
            ),
            false => (
                "at most",
                range.end(),
                format!("use {} or less", range.end()),
            ),
        };
        let message = format!("{what} is {value}, but must be {must} {bound}");
        let label = format!("this is {value}");
        self.reports
            .add(Diagnostic::new(Code::Value, message, expr.span, label).help(help));
        None
    }

    fn count(&mut self, given: Option<&Expr>, what: &str, default: usize) -> usize {
        let count = given.and_then(|expr| self.int(expr, 1..=MAX_COUNT, what));
        count.map_or(default, |n| n as usize)
    }

    fn seed(&mut self, given: Option<&Expr>, what: &str, default: u64) -> u64 {
        let seed = given.and_then(|expr| self.int(expr, 0..=i64::MAX, what));
        seed.map_or(default, |n| n as u64)
    }

    fn float(&mut self, args: &Args, name: &str, default: f64, bounds: Bounds) -> f64 {
        self.number(args.get(name), default, &args.what(name), bounds)
    }

    fn number(&mut self, given: Option<&Expr>, default: f64, what: &str, bounds: Bounds) -> f64 {
        let Some(expr) = given else { return default };
        if !check_kind(expr, Kind::Float, what, self.scope, self.reports) {
            return default;
        }
        let Some(value) = eval(expr, self.scope, self.reports).and_then(|v| v.float()) else {
            return default;
        };
        match bounds.broken_by(value, what, expr.span, default) {
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

/// Where the arguments of a call begin: the name of what is called.
fn name_span(value: &Expr) -> Span {
    match &value.kind {
        ExprKind::Call(Call { name, .. }) => name.span,
        _ => value.span,
    }
}
