//! Suggestions for misspelt names, and for names from elsewhere.

mod aliases;
mod elsewhere;

use aliases::ALIASES;
use elsewhere::ELSEWHERE;

/// Longest word in bytes that is compared with known names.
const MAX_COMPARED: usize = 64;

/// Suggestion for a name that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggestion<'a> {
    /// The known name that may have been meant.
    Name(&'a str),
    /// Advice for a thing of other languages that is not here.
    Advice(&'static str),
}

/// Suggests what to write instead of `word`: one of the `known` names, or what there is in place
/// of a thing that other frameworks call so.
pub fn suggestion<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<Suggestion<'a>> {
    if word.len() > MAX_COMPARED {
        return None;
    }
    let plain = plain(word);
    let near = known.into_iter().filter_map(|name| {
        let other = self::plain(name);
        if other == plain || ALIASES.contains(&(plain.as_str(), name)) {
            return Some(((0, false), name));
        }
        let longer = other.len().max(plain.len());
        let most = ((1 + longer) / 4).max(1);
        if longer > MAX_COMPARED || other.len().abs_diff(plain.len()) > most {
            return None;
        }
        let distance = strsim::damerau_levenshtein(&plain, &other);
        // Of two as near, the one that begins alike.
        let begins = other.starts_with(&plain) || plain.starts_with(&other);
        (distance <= most && distance < longer).then_some(((distance, !begins), name))
    });
    match near.min_by_key(|&(distance, _)| distance) {
        Some(((0, _), name)) => Some(Suggestion::Name(name)),
        near => match advice(word) {
            Some(advice) => Some(Suggestion::Advice(advice)),
            None => near.map(|(_, name)| Suggestion::Name(name)),
        },
    }
}

/// Finds the name in `known` that `word` may have been meant to be: the nearest by edit
/// distance, or our name for a thing that other frameworks call `word`.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    match suggestion(word, known)? {
        Suggestion::Name(name) => Some(name),
        Suggestion::Advice(_) => None,
    }
}

/// Finds what there is instead of a thing that other languages call `word`, and that has no name
/// here.
pub fn advice(word: &str) -> Option<&'static str> {
    let plain = plain(word);
    let found = ELSEWHERE
        .iter()
        .find(|(words, _)| words.contains(&plain.as_str()))?;
    Some(found.1)
}

/// Writes a name in lower case, without what joins its words.
fn plain(word: &str) -> String {
    word.replace(['_', '-'], "").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let layers = ["conv", "linear", "batch_norm", "relu", "max_pool", "crelu"];
        let near = |word| nearest(word, layers);
        assert_eq!(near("Conv2d"), Some("conv"));
        assert_eq!(near("ReLU"), Some("relu"));
        assert_eq!(near("BatchNorm2d"), Some("batch_norm"));
        assert_eq!(near("maxpool"), Some("max_pool"));
        assert_eq!(near("liner"), Some("linear"));
        assert_eq!(near("softmax"), None);
        assert_eq!(near("q"), None);
        assert_eq!(near("gelu"), None);
        assert_eq!(near("selu"), None);
        assert_eq!(near("rleu"), Some("relu"));
        assert_eq!(near("swish"), None);
        assert_eq!(nearest("of", ["on", "off"]), Some("off"));
        assert_eq!(nearest(&"x".repeat(1 << 20), layers), None);
    }

    #[test]
    fn what_is_not_here_is_advised_about() {
        let told = |word| {
            matches!(
                suggestion(word, ["elu", "relu"]),
                Some(Suggestion::Advice(_))
            )
        };
        assert!(told("GELU") && told("multi_head_attention") && told("relu6"));
        assert!(!told("relu") && !told("Relu") && !told("rellu"));
        // What is here by that name comes first.
        let declared = suggestion("Gelu", ["gelu", "elu"]);
        assert_eq!(declared, Some(Suggestion::Name("gelu")));
    }

    #[test]
    fn tables_hold_plain_words_once() {
        let words: Vec<&str> = ELSEWHERE
            .iter()
            .flat_map(|(words, _)| *words)
            .copied()
            .collect();
        for (i, word) in words.iter().enumerate() {
            assert_eq!(*word, plain(word));
            assert!(!words[..i].contains(word), "{word} is there twice");
        }
        for (i, pair) in ALIASES.iter().enumerate() {
            assert_eq!(pair.0, plain(pair.0));
            assert!(!ALIASES[..i].contains(pair), "{pair:?} is there twice");
        }
    }
}
