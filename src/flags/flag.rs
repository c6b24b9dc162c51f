//! A row of the table.

use crate::error::Result;
use std::ffi::OsStr;

/// A flag of a command, which may set a part of a `T`.
pub struct Flag<T: 'static> {
    /// Name, without its dashes.
    pub name: &'static str,
    /// Letter that stands for the name.
    pub letter: Option<char>,
    /// Kind of its value.
    pub value: Value,
    /// Text in the help.
    pub help: &'static str,
    /// Value where the command line does not give it.
    pub default: Option<&'static str>,
    /// Setting that the flag changes.
    pub target: Target<T>,
    /// Place and text of the flag in a command that repeats a `T`.
    pub repeat: Option<Repeat<T>>,
    /// Whether a run must have the same when it is resumed.
    pub fixed: bool,
    /// Treatment by a sweep.
    pub sweep: InSweep,
}

/// Kind of a flag's value, with the word for it in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// None: the flag is there or not.
    Switch,
    /// Any text.
    Text(&'static str),
    /// Any text, each time the flag is given.
    Texts(&'static str),
    /// Path of a file or folder.
    Path(&'static str),
    /// Whole number from 0.
    Number(&'static str),
    /// Whole number from 0 that 32 bits hold.
    Count(&'static str),
    /// Number of seconds.
    Seconds,
    /// Choice of one of these words.
    Choice(&'static [&'static str]),
}

/// Setting that a flag changes.
pub enum Target<T: 'static> {
    /// Nothing: its own command reads it.
    Own,
    /// A setting of `train { … }`.
    Setting,
    /// A part of a `T`, to a value from the command line; a switch has none.
    Part(fn(&mut T, &OsStr) -> Result<()>),
}

/// A flag in a command that repeats a `T`.
pub struct Repeat<T: 'static> {
    /// Place among the flags of that command.
    pub place: u8,
    /// Value, where that is not the default; empty for a switch.
    pub value: fn(&T) -> Option<String>,
}

/// Treatment of a run's flag by a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InSweep {
    /// The numbers of a run depend on it: it can be varied, and belongs to what a sweep is.
    Axis,
    /// Handed to every run as it is; no number depends on it.
    HandedOn,
    /// The runs are not given it.
    Kept,
}

impl<T> Flag<T> {
    /// Makes a flag that its own command reads.
    pub(crate) const fn new(name: &'static str, value: Value, help: &'static str) -> Self {
        Flag {
            name,
            letter: None,
            value,
            help,
            default: None,
            target: Target::Own,
            repeat: None,
            fixed: false,
            sweep: InSweep::Kept,
        }
    }

    /// Makes the flag of the setting of `train { … }` called `name`.
    pub(crate) const fn setting(
        name: &'static str,
        value: &'static str,
        help: &'static str,
    ) -> Self {
        Flag {
            target: Target::Setting,
            sweep: InSweep::Axis,
            ..Flag::new(name, Value::Text(value), help)
        }
    }

    /// Adds a letter for it.
    pub(crate) const fn letter(self, letter: char) -> Self {
        Flag {
            letter: Some(letter),
            ..self
        }
    }

    /// Adds the value that it has where the command line does not give it.
    pub(crate) const fn default(self, value: &'static str) -> Self {
        Flag {
            default: Some(value),
            ..self
        }
    }

    /// Sets a part of a `T`.
    pub(crate) const fn sets(self, set: fn(&mut T, &OsStr) -> Result<()>) -> Self {
        Flag {
            target: Target::Part(set),
            ..self
        }
    }

    /// Repeats it, at that place, with that value.
    pub(crate) const fn repeated(self, place: u8, value: fn(&T) -> Option<String>) -> Self {
        Flag {
            repeat: Some(Repeat { place, value }),
            ..self
        }
    }

    /// Keeps it the same for the whole of a run, however often that is resumed.
    pub(crate) const fn fixed(self) -> Self {
        Flag {
            fixed: true,
            ..self
        }
    }

    /// Adds what a sweep does with it.
    pub(crate) const fn sweep(self, sweep: InSweep) -> Self {
        Flag { sweep, ..self }
    }

    /// Returns the key of `config.json`: `max_steps` of `max-steps`, `winograd` of `no-winograd`.
    pub fn key(&self) -> String {
        self.name.trim_start_matches("no-").replace('-', "_")
    }
}
