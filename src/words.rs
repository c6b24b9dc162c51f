//! Enums whose variants are words: of the command line, or of a file.

use crate::error::Error;

/// Defines an enum with a word for each variant. The words are told once: `NAMES` lists
/// them, `name` and `parse` go from variant to word and back, and so does serde.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident, $what:literal {
            $($(#[$doc:meta])* $variant:ident = $word:tt,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Word of every variant, in the order in which they are shown.
            pub const NAMES: &'static [&'static str] = &[$($word),+];

            /// Variant whose word is `name`.
            ///
            /// # Errors
            /// Where no variant has that word; the help lists those that there are.
            pub fn parse(name: &str) -> crate::error::Result<Self> {
                match name {
                    $($word => Ok($name::$variant),)+
                    _ => Err(crate::words::unknown($what, name, Self::NAMES)),
                }
            }

            /// Word of the variant.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }
        }
    };
}

pub(crate) use words;

/// The error of a `name` that is none of `names`; `what` takes such a name.
pub(crate) fn unknown(what: &str, name: &str, names: &[&str]) -> Error {
    Error::new(format!("{what} {name}: there is no such choice"))
        .help(format!("give one of {}", names.join(", ")))
}
