//! Why nothing is made of a call.

/// Why nothing is made of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An argument is missing or wrong by itself, which is reported where it stands.
    Unsound,
    /// Arguments that are right by themselves do not go together.
    Conflict(Box<Conflict>),
}

/// Arguments that do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Group of the mistake.
    pub kind: ConflictKind,
    /// The mistake in a sentence.
    pub message: String,
    /// The slot whose argument is underlined.
    pub slot: &'static str,
    /// Text under it.
    pub label: String,
    /// Another slot that is underlined if it is given, with the text under it.
    pub other: Option<(&'static str, &'static str)>,
    /// Advice on what to do.
    pub help: String,
}

/// Group that a [`Conflict`] is reported in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// A value is wrong beside another.
    Value,
    /// The training cannot be so.
    Train,
}

impl From<Conflict> for Refusal {
    fn from(conflict: Conflict) -> Self {
        Refusal::Conflict(Box::new(conflict))
    }
}
