//! Slots: the arguments that a call takes.

/// Size that a number of a network may have at most; more could not be one in any case.
pub const MAX_SIZE: i64 = 1 << 31;

/// Epochs or images that a setting may ask for at most.
pub const MAX_COUNT: i64 = 1 << 31;

/// Argument that a callee takes.
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
    /// Description in one line.
    pub doc: &'a str,
}

/// Value of a slot that is not given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlotDefault {
    /// None: it must be given, for example so.
    Required(Option<Literal>),
    /// A fixed value.
    Value(Literal),
    /// A value that follows from other slots, as the slot's doc says.
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
    /// A word that the slot knows.
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
    /// A word among these.
    Word(&'static [&'static str]),
    /// `same`, or pixels a side.
    Padding,
    /// A list of epochs, ascending.
    Epochs,
    /// A list of augmentations.
    Augments,
}

impl Kind {
    /// A size in the network, 1 or more.
    pub const SIZE: Kind = Kind::Int(Integers::Size(1));
    /// A number of epochs or images.
    pub const COUNT: Kind = Kind::Int(Integers::COUNT);
    /// A seed of random numbers.
    pub const SEED: Kind = Kind::Int(Integers::SEED);
}

/// Range of an int.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integers {
    /// A size in the network, from this on; more than [`MAX_SIZE`] is over a limit.
    Size(i64),
    /// An int from the first to the second, both included.
    Range(i64, i64),
}

impl Integers {
    /// Range of all ints.
    pub const ANY: Integers = Integers::Range(i64::MIN, i64::MAX);
    /// A number of epochs or images.
    pub const COUNT: Integers = Integers::Range(1, MAX_COUNT);
    /// The number of an epoch, counted from 0.
    pub const EPOCH: Integers = Integers::Range(0, MAX_COUNT);
    /// A seed of random numbers.
    pub const SEED: Integers = Integers::Range(0, i64::MAX);

    /// Returns the least and the greatest.
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
    /// All numbers.
    Any,
    /// Above 0.
    Positive,
    /// 0 or more.
    NotNegative,
    /// (0, 1]: a share that is not nothing.
    Share,
    /// [0, 1): a share that is not all.
    BelowOne,
    /// [0, 1]: any share.
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

    /// Returns the range in words, after "must be".
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
    /// Makes a slot whose default follows from others.
    pub const fn new(name: &'a str, kind: Kind, doc: &'a str) -> Self {
        Slot {
            name,
            kind,
            positional: false,
            default: SlotDefault::Derived,
            doc,
        }
    }

    /// Makes the slot one that must be given and may stand without its name.
    pub const fn first(self, example: Literal) -> Self {
        Slot {
            positional: true,
            ..self.needed(example)
        }
    }

    /// Makes the slot one that must be given by its name.
    pub const fn needed(self, example: Literal) -> Self {
        Slot {
            default: SlotDefault::Required(Some(example)),
            ..self
        }
    }

    /// Gives the slot a default.
    pub const fn or(self, default: Literal) -> Self {
        Slot {
            default: SlotDefault::Value(default),
            ..self
        }
    }

    /// Whether it must be given.
    pub fn is_required(&self) -> bool {
        matches!(self.default, SlotDefault::Required(_))
    }

    /// Returns a value that it takes: its default, or the example of one without.
    pub fn example(&self) -> Option<Literal> {
        match self.default {
            SlotDefault::Required(example) => example,
            SlotDefault::Value(literal) => Some(literal),
            SlotDefault::Derived => None,
        }
    }
}

/// Lists the words of `pairs`, each of which stands for the value beside it.
pub const fn words<T, const N: usize>(pairs: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut index = 0;
    while index < N {
        words[index] = pairs[index].0;
        index += 1;
    }
    words
}
