//! The keys of `train { … }`.

/// A key of `train { … }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The dataset and its augmentations.
    Data,
    /// What is minimised.
    Loss,
    /// Where weights start.
    Init,
    /// How weights move.
    Optimizer,
    /// How the learning rate moves.
    Schedule,
    /// How α and λ move.
    Constraint,
    /// Passes over the training split.
    Epochs,
    /// Images in a step.
    Batch,
    /// Seed of every random stream.
    Seed,
}

/// The settings, by the names that they have in a `.van` file and as flags.
pub const SETTINGS: [(&str, Setting); 9] = [
    ("data", Setting::Data),
    ("loss", Setting::Loss),
    ("init", Setting::Init),
    ("optimizer", Setting::Optimizer),
    ("schedule", Setting::Schedule),
    ("constraint", Setting::Constraint),
    ("epochs", Setting::Epochs),
    ("batch", Setting::Batch),
    ("seed", Setting::Seed),
];
