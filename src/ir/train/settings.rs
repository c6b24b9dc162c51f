//! The keys of `train { … }`.

/// A key of `train { … }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The dataset and its augmentations.
    Data,
    /// Loss that is minimised.
    Loss,
    /// Distribution that weights are drawn from.
    Init,
    /// Rule that moves the weights.
    Optimizer,
    /// Course of the learning rate η.
    Schedule,
    /// Rule that moves α and λ.
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
