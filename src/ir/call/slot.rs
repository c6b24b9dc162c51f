//! Slots: the arguments that a call takes.

/// Size that a number of a network may have at most; more could not be one in any case.
pub const MAX_SIZE: i64 = 1 << 31;

/// Epochs or images that a setting may ask for at most.
pub const MAX_COUNT: i64 = 1 << 31;

/// One argument that a callee takes.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// Name that it is given by.
    pub name: &'a str,
    /// Values that it takes.
    pub kind: Kind,
    /// Whether it may be given without its name.
    pub positional: bool,
    /// Value that it has where it is not given.
    pub default: SlotDefault,
    /// One line about it.
    pub doc: &'a str,
}

/// Value of a slot that is not given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlotDefault {
    /// None: it must be given, for example so.
    Required(Option<Literal>),
    /// This one.
    Value(Literal),
    /// One that follows from others, as its doc says.
    Derived,
}

/// A value in a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Literal {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// One of the words that the slot knows.
    Word(&'static str),
    /// Epochs, ascending.
    Epochs(&'static [usize]),
    /// The list without augmentations.
    NoAugments,
}

/// Values that a slot takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number.
    Int(Integers),
    /// A number; an int widens.
    Float(Bounds),
    /// `true` or `false`.
    Bool,
    /// A skip policy.
    Skip,
    /// Anything, because the declaration of the slot is wrong.
    Any,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `same`, or pixels a side.
    Padding,
    /// A list of epochs, ascending.
    Epochs,
    /// A list of augmentations.
    Augments,
}

/// Range of an int.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integers {
    /// A size in the network, from this on; more than [`MAX_SIZE`] is over a limit.
    Size(i64),
    /// From the first to the second.
    Range(i64, i64),
}

impl Integers {
    /// Every int.
    pub const ANY: Integers = Integers::Range(i64::MIN, i64::MAX);
    /// A number of epochs or images.
    pub const COUNT: Integers = Integers::Range(1, MAX_COUNT);
    /// The number of an epoch, counted from 0.
    pub const EPOCH: Integers = Integers::Range(0, MAX_COUNT);
    /// A seed of random numbers.
    pub const SEED: Integers = Integers::Range(0, i64::MAX);

    /// The least and the greatest.
    pub fn ends(self) -> (i64, i64) {
        match self {
            Integers::Size(least) => (least, MAX_SIZE),
            Integers::Range(least, most) => (least, most),
        }
    }
}

/// Range of a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// Every number.
    Any,
    /// Above 0.
    Positive,
    /// 0 or more.
    NotNegative,
    /// In (0, 1].
    Share,
    /// In [0, 1).
    BelowOne,
    /// In [0, 1].
    Unit,
}

impl Bounds {
    /// Whether `value` is within.
    pub fn contains(self, value: f64) -> bool {
        match self {
            Bounds::Any => true,
            Bounds::Positive => value > 0.0,
            Bounds::NotNegative => value >= 0.0,
            Bounds::Share => value > 0.0 && value <= 1.0,
            Bounds::BelowOne => (0.0..1.0).contains(&value),
            Bounds::Unit => (0.0..=1.0).contains(&value),
        }
    }

    /// The range in words, after "must be".
    pub fn words(self) -> &'static str {
        match self {
            Bounds::Any => "a number",
            Bounds::Positive => "above 0",
            Bounds::NotNegative => "0 or more",
            Bounds::Share => "above 0 and at most 1",
            Bounds::BelowOne => "at least 0 and below 1",
            Bounds::Unit => "between 0 and 1",
        }
    }
}

impl<'a> Slot<'a> {
    /// A slot that must be given and may stand without its name.
    pub const fn first(name: &'a str, kind: Kind, example: Literal, doc: &'a str) -> Self {
        Slot {
            name,
            kind,
            positional: true,
            default: SlotDefault::Required(Some(example)),
            doc,
        }
    }

    /// A slot that must be given by its name.
    pub const fn needed(name: &'a str, kind: Kind, example: Literal, doc: &'a str) -> Self {
        Slot {
            name,
            kind,
            positional: false,
            default: SlotDefault::Required(Some(example)),
            doc,
        }
    }

    /// A slot with a default.
    pub const fn optional(name: &'a str, kind: Kind, default: Literal, doc: &'a str) -> Self {
        Slot {
            name,
            kind,
            positional: false,
            default: SlotDefault::Value(default),
            doc,
        }
    }

    /// A slot whose default follows from others.
    pub const fn derived(name: &'a str, kind: Kind, doc: &'a str) -> Self {
        Slot {
            name,
            kind,
            positional: false,
            default: SlotDefault::Derived,
            doc,
        }
    }

    /// Whether it must be given.
    pub fn is_required(&self) -> bool {
        matches!(self.default, SlotDefault::Required(_))
    }

    /// A value that it takes: its default, or the example of one without.
    pub fn example(&self) -> Option<Literal> {
        match self.default {
            SlotDefault::Required(example) => example,
            SlotDefault::Value(literal) => Some(literal),
            SlotDefault::Derived => None,
        }
    }
}
