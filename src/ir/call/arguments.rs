//! Values of a call's arguments, as a row builds from them.

use super::refusal::Refusal;
use super::slot::{Literal, Slot, SlotDefault};
use crate::ir::augment::Augment;

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A word that the slot knows.
    Word(&'static str),
    /// Epochs, ascending.
    Epochs(Vec<usize>),
    /// Augmentations, in their order.
    Augments(Vec<Augment>),
}

impl From<Literal> for Argument {
    fn from(literal: Literal) -> Self {
        match literal {
            Literal::Int(n) => Argument::Int(n),
            Literal::Float(x) => Argument::Float(x),
            Literal::Bool(b) => Argument::Bool(b),
            Literal::Word(word) => Argument::Word(word),
            Literal::Epochs(epochs) => Argument::Epochs(epochs.to_vec()),
            Literal::NoAugments => Argument::Augments(Vec::new()),
        }
    }
}

/// Outcome of a slot in one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// Nothing is given for it.
    Absent,
    /// A mistake in it is reported.
    Unsound,
    /// A value of the slot's kind and within its bounds.
    Value(Argument),
}

/// The values of a call's arguments. What a slot was not given has its default.
#[derive(Debug)]
pub struct Arguments<'a> {
    /// The name that is called.
    pub name: &'a str,
    /// Whether the call stands in the body of a `dirac` skip.
    pub in_dirac: bool,
    slots: &'a [Slot<'a>],
    given: Vec<Given>,
}

impl<'a> Arguments<'a> {
    /// Makes arguments of the values `given` for `slots`, one each.
    pub fn new(name: &'a str, slots: &'a [Slot<'a>], given: Vec<Given>) -> Self {
        Arguments {
            name,
            in_dirac: false,
            slots,
            given,
        }
    }

    /// Makes arguments of the examples of `slots`: their defaults, and a value where one must be
    /// given.
    pub fn examples(name: &'a str, slots: &'a [Slot<'a>]) -> Self {
        let given = slots.iter().map(|slot| match slot.default {
            SlotDefault::Required(Some(example)) => Given::Value(example.into()),
            SlotDefault::Required(None) | SlotDefault::Value(_) | SlotDefault::Derived => {
                Given::Absent
            }
        });
        Arguments::new(name, slots, given.collect())
    }

    fn slot(&self, name: &str) -> Result<(&Slot<'a>, &Given), Refusal> {
        let mut pairs = self.slots.iter().zip(&self.given);
        let found = pairs.find(|(slot, _)| slot.name == name);
        found.ok_or(Refusal::Unsound)
    }

    /// Whether something is given for the slot `name`.
    pub fn is_given(&self, name: &str) -> bool {
        matches!(self.slot(name), Ok((_, Given::Value(_) | Given::Unsound)))
    }

    /// Reads the argument of the slot `name`, or its default; `None` where that follows from
    /// other slots.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn optional<T: TryFrom<Argument>>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let value = match self.slot(name)? {
            (_, Given::Value(value)) => value.clone(),
            (_, Given::Unsound) => return Err(Refusal::Unsound),
            (slot, Given::Absent) => match slot.default {
                SlotDefault::Required(_) => return Err(Refusal::Unsound),
                SlotDefault::Value(literal) => literal.into(),
                SlotDefault::Derived => return Ok(None),
            },
        };
        let value = T::try_from(value);
        Ok(Some(value.map_err(|_| Refusal::Unsound)?))
    }

    /// Reads the argument of the slot `name`, or its default.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn get<T: TryFrom<Argument>>(&self, name: &str) -> Result<T, Refusal> {
        self.optional(name)?.ok_or(Refusal::Unsound)
    }

    /// Reads the value of the word in the slot `name`, which is one of `choices`.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T, Refusal> {
        let word: &str = self.get(name)?;
        let found = choices.iter().find(|(known, _)| *known == word);
        found.map(|(_, value)| *value).ok_or(Refusal::Unsound)
    }
}

/// Takes the values of one kind of argument out of it; of others, nothing.
macro_rules! take {
    ($($type:ty: $pattern:pat => $value:expr;)*) => {$(
        impl TryFrom<Argument> for $type {
            type Error = ();

            fn try_from(argument: Argument) -> Result<Self, ()> {
                match argument {
                    $pattern => Ok($value),
                    _ => Err(()),
                }
            }
        }
    )*};
}

take! {
    usize: Argument::Int(n) => usize::try_from(n).map_err(|_| ())?;
    u64: Argument::Int(n) => u64::try_from(n).map_err(|_| ())?;
    f64: Argument::Float(x) => x;
    bool: Argument::Bool(b) => b;
    &'static str: Argument::Word(word) => word;
    Vec<usize>: Argument::Epochs(epochs) => epochs;
    Vec<Augment>: Argument::Augments(augments) => augments;
}
