//! Values of a call's arguments, as a row builds from them.

use super::{Literal, Refusal, Slot, SlotDefault};
use crate::ir::Augment;

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// One of the words that the slot knows.
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
    /// This value, of the slot's kind and within its bounds.
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
    /// The values `given` for `slots`, one each.
    pub fn new(name: &'a str, slots: &'a [Slot<'a>], given: Vec<Given>) -> Self {
        Arguments {
            name,
            in_dirac: false,
            slots,
            given,
        }
    }

    /// The examples of `slots`: their defaults, and a value where one must be given.
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

    /// What is given for the slot `name`, or its default; nothing where that follows
    /// from other slots.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn value(&self, name: &str) -> Result<Option<Argument>, Refusal> {
        match self.slot(name)? {
            (_, Given::Value(value)) => Ok(Some(value.clone())),
            (_, Given::Unsound) => Err(Refusal::Unsound),
            (slot, Given::Absent) => match slot.default {
                SlotDefault::Required(_) => Err(Refusal::Unsound),
                SlotDefault::Value(literal) => Ok(Some(literal.into())),
                SlotDefault::Derived => Ok(None),
            },
        }
    }

    /// The whole number in the slot `name`; nothing where it follows from other slots.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn optional_size(&self, name: &str) -> Result<Option<usize>, Refusal> {
        match self.value(name)? {
            Some(Argument::Int(n)) => Ok(Some(usize::try_from(n).map_err(|_| Refusal::Unsound)?)),
            Some(_) => Err(Refusal::Unsound),
            None => Ok(None),
        }
    }

    /// The size or count in the slot `name`.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn size(&self, name: &str) -> Result<usize, Refusal> {
        self.optional_size(name)?.ok_or(Refusal::Unsound)
    }

    /// The seed in the slot `name`.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn seed(&self, name: &str) -> Result<u64, Refusal> {
        Ok(self.size(name)? as u64)
    }

    /// The number in the slot `name`.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn float(&self, name: &str) -> Result<f64, Refusal> {
        match self.value(name)? {
            Some(Argument::Float(x)) => Ok(x),
            Some(Argument::Int(n)) => Ok(n as f64),
            Some(_) | None => Err(Refusal::Unsound),
        }
    }

    /// The bool in the slot `name`.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn bool(&self, name: &str) -> Result<bool, Refusal> {
        match self.value(name)? {
            Some(Argument::Bool(b)) => Ok(b),
            Some(_) | None => Err(Refusal::Unsound),
        }
    }

    /// The value of the word in the slot `name`, which is one of `choices`.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T, Refusal> {
        let Some(Argument::Word(word)) = self.value(name)? else {
            return Err(Refusal::Unsound);
        };
        let found = choices.iter().find(|(known, _)| *known == word);
        found.map(|(_, value)| *value).ok_or(Refusal::Unsound)
    }

    /// The epochs in the slot `name`.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn epochs(&self, name: &str) -> Result<Vec<usize>, Refusal> {
        match self.value(name)? {
            Some(Argument::Epochs(epochs)) => Ok(epochs),
            Some(_) | None => Err(Refusal::Unsound),
        }
    }

    /// The augmentations in the slot `name`.
    ///
    /// # Errors
    /// A refusal where the argument is missing or wrong.
    pub fn augments(&self, name: &str) -> Result<Vec<Augment>, Refusal> {
        match self.value(name)? {
            Some(Argument::Augments(augments)) => Ok(augments),
            Some(_) | None => Err(Refusal::Unsound),
        }
    }
}
