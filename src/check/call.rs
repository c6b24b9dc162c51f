//! What can be called with which arguments, and matching a call to that.

use super::report::{Reports, suggest, unknown};
use crate::diag::{Code, Diagnostic};
use crate::span::Span;
use crate::syntax::ast::{Arg, Call, Expr};

/// What an argument has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Float,
    Bool,
    Skip,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `same` or an int.
    Padding,
    /// A list of ints.
    Ints,
    /// A list of calls.
    Calls,
}

/// One argument that a callee takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    pub name: &'a str,
    pub kind: Kind,
    /// Whether it may be given without its name.
    pub positional: bool,
    /// Whether it must be given.
    pub required: bool,
}

/// A layer, policy, dataset or setting of the language.
pub(super) struct Callee {
    pub name: &'static str,
    pub slots: &'static [Slot<'static>],
}

/// A slot that must be given and may stand without its name.
const fn first(name: &'static str, kind: Kind) -> Slot<'static> {
    Slot {
        name,
        kind,
        positional: true,
        required: true,
    }
}

/// A slot that must be given by its name.
const fn needed(name: &'static str, kind: Kind) -> Slot<'static> {
    Slot {
        name,
        kind,
        positional: false,
        required: true,
    }
}

/// A slot with a default.
const fn optional(name: &'static str, kind: Kind) -> Slot<'static> {
    Slot {
        name,
        kind,
        positional: false,
        required: false,
    }
}

const fn callee(name: &'static str, slots: &'static [Slot<'static>]) -> Callee {
    Callee { name, slots }
}

const POOL: &[Slot<'static>] = &[needed("kernel", Kind::Int), optional("stride", Kind::Int)];

/// The layers that are calls; `skip` and `concat` have syntax of their own.
pub(super) const LAYERS: &[Callee] = &[
    callee(
        "conv",
        &[
            first("out", Kind::Int),
            needed("kernel", Kind::Int),
            optional("stride", Kind::Int),
            optional("padding", Kind::Padding),
            optional("bias", Kind::Bool),
        ],
    ),
    callee(
        "linear",
        &[first("out", Kind::Int), optional("bias", Kind::Bool)],
    ),
    callee(
        "batch_norm",
        &[
            optional("momentum", Kind::Float),
            optional("eps", Kind::Float),
        ],
    ),
    callee("relu", &[]),
    callee("elu", &[optional("alpha", Kind::Float)]),
    callee("leaky_relu", &[optional("slope", Kind::Float)]),
    callee("crelu", &[]),
    callee("tanh", &[]),
    callee("sigmoid", &[]),
    callee("max_pool", POOL),
    callee("avg_pool", POOL),
    callee("global_avg_pool", &[]),
    callee("flatten", &[]),
    callee("dropout", &[first("p", Kind::Float)]),
];

/// The skip policies, in the order of [`super::policy::POLICIES`].
pub(super) const POLICY_CALLS: &[Callee] = &[
    callee("plain", &[]),
    callee("resnet", &[optional("scale", Kind::Float)]),
    callee("highway", &[optional("bias", Kind::Float)]),
    callee("dirac", &[]),
    callee(
        "variable",
        &[
            optional("lambda", Kind::Float),
            optional("form", Kind::Word(&["additive", "convex"])),
        ],
    ),
];

/// The one shape of input.
pub(super) const INPUTS: &[Callee] = &[callee(
    "image",
    &[
        first("channels", Kind::Int),
        first("height", Kind::Int),
        first("width", Kind::Int),
    ],
)];

const AUGMENT: Slot<'static> = optional("augment", Kind::Calls);

/// The datasets that `data:` can name.
pub(super) const DATASETS: &[Callee] = &[
    callee(
        "synthetic",
        &[
            optional("train", Kind::Int),
            optional("test", Kind::Int),
            optional("noise", Kind::Float),
            optional("seed", Kind::Int),
            AUGMENT,
        ],
    ),
    callee("mnist", &[AUGMENT]),
    callee("fashion_mnist", &[AUGMENT]),
    callee("cifar10", &[AUGMENT]),
    callee("cifar100", &[AUGMENT]),
    callee("folder", &[AUGMENT]),
];

/// What `augment:` can list.
pub(super) const AUGMENTS: &[Callee] = &[
    callee("pad_crop", &[first("pixels", Kind::Int)]),
    callee("flip_horizontal", &[]),
];

/// What `loss:` can be.
pub(super) const LOSSES: &[Callee] = &[callee("cross_entropy", &[])];

/// What `init:` can be.
pub(super) const INITS: &[Callee] = &[
    callee("he_normal", &[]),
    callee("glorot_uniform", &[]),
    callee("orthogonal", &[]),
];

/// What `optimizer:` can be.
pub(super) const OPTIMIZERS: &[Callee] = &[callee(
    "sgd",
    &[
        optional("rate", Kind::Float),
        optional("momentum", Kind::Float),
        optional("nesterov", Kind::Bool),
        optional("weight_decay", Kind::Float),
    ],
)];

/// What `schedule:` can be.
pub(super) const SCHEDULES: &[Callee] = &[
    callee("constant", &[]),
    callee(
        "step",
        &[needed("at", Kind::Ints), optional("factor", Kind::Float)],
    ),
    callee("cosine", &[optional("warmup", Kind::Float)]),
];

/// What `constraint:` can be.
pub(super) const CONSTRAINTS: &[Callee] = &[callee(
    "lagrange",
    &[
        optional("alpha", Kind::Float),
        optional("lambda", Kind::Float),
        optional("alpha_rate", Kind::Float),
        optional("lambda_rate", Kind::Float),
        optional("every", Kind::Word(&["step", "epoch"])),
        optional(
            "alpha_granularity",
            Kind::Word(&["channel", "layer", "unit"]),
        ),
    ],
)];

/// The callee of a name among `known`; reports an unknown one as no `kind`.
pub(super) fn find<'k>(
    call: &Call,
    known: &'k [Callee],
    kind: &str,
    reports: &mut Reports,
) -> Option<&'k Callee> {
    let found = known.iter().find(|callee| callee.name == call.name.node);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|callee| callee.name).collect();
        reports.add(unknown(kind, &call.name.node, call.name.span, &names));
    }
    found
}

/// The expression given for each of `slots`, `None` where there is none. Reports
/// arguments that are unknown, doubled, missing, or positional where they may not be;
/// `declared` is where a block says what it takes.
pub(super) fn bind<'c>(
    call: &'c Call,
    slots: &[Slot],
    declared: Option<Span>,
    reports: &mut Reports,
) -> Vec<Option<&'c Expr>> {
    let mut given: Vec<Option<&'c Expr>> = vec![None; slots.len()];
    let mut positional = 0..slots.iter().filter(|slot| slot.positional).count();
    let mut named = false;
    for arg in call.args() {
        let index = match &arg.key {
            Some(key) => {
                named = true;
                match slots.iter().position(|slot| slot.name == key.node) {
                    Some(index) => index,
                    None => {
                        reports.add(at(unknown_argument(call, arg, slots), declared));
                        continue;
                    }
                }
            }
            None if named => {
                reports.add(positional_after_named(call, arg, slots));
                continue;
            }
            None => match positional.next() {
                Some(index) => index,
                None => {
                    reports.add(at(too_many(call, arg, slots), declared));
                    continue;
                }
            },
        };
        match given[index] {
            None => given[index] = Some(&arg.value),
            Some(first) => reports.add(twice(call, arg, slots[index].name, first.span)),
        }
    }
    for (slot, value) in slots.iter().zip(&given) {
        if slot.required && value.is_none() {
            reports.add(at(missing(call, slot, slots), declared));
        }
    }
    given
}

fn at(report: Diagnostic, declared: Option<Span>) -> Diagnostic {
    match declared {
        Some(span) => report.also(span, "declared here"),
        None => report,
    }
}

fn unknown_argument(call: &Call, arg: &Arg, slots: &[Slot]) -> Diagnostic {
    let key = arg.key.as_ref().map_or("", |key| &key.node);
    let span = arg.key.as_ref().map_or(arg.value.span, |key| key.span);
    let names: Vec<&str> = slots.iter().map(|slot| slot.name).collect();
    let help = match names.as_slice() {
        [] => format!("write `{}` without arguments", call.name.node),
        names => suggest(key, names, "argument"),
    };
    let message = format!("`{}` has no argument `{key}`", call.name.node);
    Diagnostic::new(Code::Name, message, span, "no such argument").help(help)
}

fn positional_after_named(call: &Call, arg: &Arg, slots: &[Slot]) -> Diagnostic {
    let message = "an argument without a name after one with a name";
    Diagnostic::new(
        Code::Type,
        message,
        arg.value.span,
        "this one needs its name",
    )
    .help(format!("write it as `key: value`: {}", usage(call, slots)))
}

fn too_many(call: &Call, arg: &Arg, slots: &[Slot]) -> Diagnostic {
    let takes = match slots.iter().filter(|slot| slot.positional).count() {
        0 => "no argument".to_string(),
        1 => "one argument".to_string(),
        n => format!("{n} arguments"),
    };
    let message = format!("`{}` takes {takes} without a name", call.name.node);
    let help = match slots {
        [] => format!("write `{}` without arguments", call.name.node),
        _ => format!("name the others: {}", usage(call, slots)),
    };
    Diagnostic::new(Code::Type, message, arg.value.span, "one too many").help(help)
}

fn twice(call: &Call, arg: &Arg, name: &str, first: Span) -> Diagnostic {
    let span = arg.key.as_ref().map_or(arg.value.span, |key| key.span);
    let message = format!("`{}` is given `{name}` twice", call.name.node);
    Diagnostic::new(Code::Name, message, span, "given again here")
        .also(first, "first given here")
        .help("remove one of them")
}

fn missing(call: &Call, slot: &Slot, slots: &[Slot]) -> Diagnostic {
    let message = format!("`{}` needs `{}`", call.name.node, slot.name);
    let label = format!("`{}` is missing", slot.name);
    Diagnostic::new(Code::Type, message, call.span, label)
        .help(format!("write {}", usage(call, slots)))
}

/// `` `conv(out, kernel: …)` `` with what must be given.
fn usage(call: &Call, slots: &[Slot]) -> String {
    let required = slots.iter().filter(|slot| slot.required);
    let shown: Vec<String> = required
        .map(|slot| match slot.positional {
            true => slot.name.to_string(),
            false => format!("{}: …", slot.name),
        })
        .collect();
    match (shown.as_slice(), slots) {
        ([], [any, ..]) => format!("`{}({}: …)`", call.name.node, any.name),
        (shown, _) => format!("`{}({})`", call.name.node, shown.join(", ")),
    }
}
