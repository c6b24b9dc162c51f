//! Suggestions for misspelt names.

mod aliases;

use aliases::ALIASES;

/// Longest word in bytes that is compared with known names.
const MAX_COMPARED: usize = 64;

/// Finds the name in `known` that `word` may have been meant to be: the nearest by edit
/// distance, or our name for a thing that other frameworks call `word`.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_COMPARED {
        return None;
    }
    let plain = word.replace('_', "").to_lowercase();
    let is_alias = |name: &str| ALIASES.contains(&(plain.as_str(), name));
    let near = known.into_iter().filter_map(|name| {
        let longer = name.len().max(word.len());
        let most = 1 + longer / 4;
        if is_alias(name) {
            return Some((0, name));
        }
        if longer > MAX_COMPARED || name.len().abs_diff(word.len()) > most {
            return None;
        }
        let distance = strsim::damerau_levenshtein(&plain, &name.replace('_', "").to_lowercase());
        (distance <= most && distance < longer).then_some((distance, name))
    });
    near.min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
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
        assert_eq!(nearest(&"x".repeat(1 << 20), layers), None);
    }
}
