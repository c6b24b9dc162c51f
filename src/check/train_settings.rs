//! The training settings: `train { … }` and the flags that replace parts of it.

use super::declarations::Declarations;
use super::eval::Builder;
use super::flags::{Flag, OverrideTarget};
use super::report::{Reports, suggest};
use super::scope::{Params, Scope};
use super::typing::check_kind;
use crate::diag::{Code, Diagnostic};
use crate::ir::call::{Integers, Kind, Row};
use crate::ir::train::{
    CONSTRAINTS, CONSTRAINTS_0_1, DATASETS, INITS, LOSSES, OPTIMIZERS, RATE, SCHEDULES, SETTINGS,
    Setting,
};
use crate::ir::{Constraint, Train};
use crate::span::Span;
use crate::suggest::{nearest, suggestion};
use crate::syntax::ast::{Call, Expr, ExprKind, Ident};
use std::collections::HashMap;

/// The settings, and where the dataset and the batch are named, if they are.
pub(super) struct Resolved {
    pub train: Train,
    pub data: Option<Span>,
    pub batch: Option<Span>,
}

/// Rows that settings are built of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Those of this version.
    Current,
    /// Those of version 0.1 too.
    OfCheckpoints,
}

impl Rows {
    /// Returns the rows that the constraint `value` is built of.
    fn constraints(self, value: &Expr) -> &'static [Row<Constraint>] {
        let ExprKind::Call(call) = &value.kind else {
            return CONSTRAINTS;
        };
        let gives = |name: &str| {
            let mut keys = call.args().iter().filter_map(|arg| arg.key.as_ref());
            keys.any(|key| key.node == name)
        };
        match self {
            Rows::OfCheckpoints if gives("alpha_rate") != gives("lambda_rate") => CONSTRAINTS_0_1,
            Rows::OfCheckpoints | Rows::Current => CONSTRAINTS,
        }
    }
}

/// Resolves the settings: the file's over the defaults, then the flags' over those.
pub(super) fn resolve(
    declared: &Declarations,
    params: &Params,
    flags: &[Flag],
    rows: Rows,
    reports: &mut Reports,
) -> Resolved {
    let mut resolved = Resolved {
        train: Train::default(),
        data: None,
        batch: None,
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
                rows,
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
            rows,
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
            rows,
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
    let settings = SETTINGS.map(|(name, _)| name);
    match inside(key) {
        Some((setting, callee, name)) if suggestion(key, settings).is_none() => {
            report.help(format!("write `{setting}: {callee}({name}: …)`"))
        }
        _ => report.help(suggest(key, &settings, "setting")),
    }
}

/// Finds the slot of a setting's value that `key` may have been meant to be: the setting, what it
/// is set to, and the slot.
fn inside(key: &str) -> Option<(&'static str, &'static str, &'static str)> {
    fn slots<T>(
        setting: &'static str,
        rows: &'static [Row<T>],
    ) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        let slots = move |row: &'static Row<T>| {
            let names = row.slots.iter().map(|slot| slot.name);
            names.map(move |slot| (setting, row.name, slot))
        };
        rows.iter().flat_map(slots)
    }
    let mut known = slots("optimizer", OPTIMIZERS)
        .chain(slots("schedule", SCHEDULES))
        .chain(slots("constraint", CONSTRAINTS));
    known.find(|(.., name)| nearest(key, [*name]).is_some())
}

struct SettingsReader<'a, 'r> {
    scope: &'a Scope<'a>,
    rows: Rows,
    resolved: &'r mut Resolved,
    reports: &'r mut Reports,
}

impl SettingsReader<'_, '_> {
    /// Sets what is called `key`. A value that is wrong, which is reported, leaves it as
    /// it is.
    fn set(&mut self, key: &str, key_span: Span, value: &Expr) {
        let Some((name, setting)) = SETTINGS.into_iter().find(|(name, _)| *name == key) else {
            self.reports.add(unknown_setting(key, key_span));
            return;
        };
        let train = &mut self.resolved.train;
        let mut builder = Builder::recovering(self.scope, self.reports);
        match setting {
            Setting::Data => {
                if replace(&mut train.data, builder.named(value, DATASETS, "dataset")) {
                    self.resolved.data = Some(name_span(value));
                }
            }
            Setting::Loss => {
                replace(&mut train.loss, builder.named(value, LOSSES, "loss"));
            }
            Setting::Init => {
                let init = builder.named(value, INITS, "initialisation");
                replace(&mut train.init, init);
            }
            Setting::Optimizer => {
                let optimizer = builder.named(value, OPTIMIZERS, "optimizer");
                replace(&mut train.optimizer, optimizer);
            }
            Setting::Schedule => {
                let schedule = builder.named(value, SCHEDULES, "schedule");
                replace(&mut train.schedule, schedule);
            }
            Setting::Constraint => {
                let constraint = builder.named(value, self.rows.constraints(value), "constraint");
                replace(&mut train.constraint, constraint);
            }
            Setting::Epochs => {
                let epochs = self.number(name, value, Integers::COUNT);
                replace(&mut self.resolved.train.epochs, epochs);
            }
            Setting::Batch => {
                let batch = self.number(name, value, Integers::COUNT);
                if replace(&mut self.resolved.train.batch, batch) {
                    self.resolved.batch = Some(value.span);
                }
            }
            Setting::Seed => {
                let seed = self.number(name, value, Integers::SEED);
                replace(&mut self.resolved.train.seed, seed.map(|seed| seed as u64));
            }
        }
    }

    /// Reads the number that the setting `name` is given.
    fn number(&mut self, name: &str, value: &Expr, range: Integers) -> Option<usize> {
        let what = format!("`{name}`");
        let kind = Kind::Int(range);
        if !check_kind(value, kind, &what, self.scope, self.reports) {
            return None;
        }
        Builder::recovering(self.scope, self.reports).size(value, range, &what)
    }

    /// Sets the rate of the optimizer alone.
    fn rate(&mut self, value: &Expr) {
        let optimizer = &mut self.resolved.train.optimizer;
        if check_kind(
            value,
            Kind::Float(RATE),
            "`--rate`",
            self.scope,
            self.reports,
        ) {
            let mut builder = Builder::recovering(self.scope, self.reports);
            let given = builder.float(value, RATE, "`--rate`", optimizer.rate());
            let given = given.map(|rate| optimizer.with_rate(rate));
            replace(optimizer, given);
        }
    }
}

/// Puts `value`, if there is one, into `place`; whether there is.
fn replace<T>(place: &mut T, value: Option<T>) -> bool {
    match value {
        Some(value) => {
            *place = value;
            true
        }
        None => false,
    }
}

/// Returns the place of the name that `value` calls, before its arguments; else of all of
/// `value`.
fn name_span(value: &Expr) -> Span {
    if let ExprKind::Call(Call { name, .. }) = &value.kind {
        name.span
    } else {
        value.span
    }
}
