//! Names that the tensors of a file have in a network.

use crate::engines::GRADIENT_SUM_PREFIX;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use crate::ir::{Slot, TensorSpec};
use safetensors::tensor::SafeTensors;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Beginnings that PyTorch puts before all names: of a module that was compiled, and of one that
/// was trained on several devices.
const PREFIXES: [&str; 2] = ["_orig_mod.", "module."];

/// Names in a file, by the names that the network has for them.
pub(super) struct Names {
    here: BTreeMap<String, String>,
    /// Beginning that is left out of the names in the file.
    prefix: String,
}

impl Names {
    /// Finds the name of each tensor of the file: the one that the JSON file `map` gives it, or
    /// its own without a beginning that all have.
    pub fn new(views: &SafeTensors, specs: &[TensorSpec], map: Option<&Path>) -> Result<Names> {
        let known: HashSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        let map = map.map(Map::read).transpose()?;
        let (mut here, mut own) = (BTreeMap::new(), Vec::new());
        let mut unused: HashSet<&str> = HashSet::new();
        unused.extend(
            map.iter()
                .flat_map(|map| map.names.keys().map(String::as_str)),
        );
        for name in views.names() {
            match map.as_ref().and_then(|map| map.find(name)) {
                Some((key, there)) => {
                    unused.remove(key);
                    let before = here.insert(there.clone(), name.to_string());
                    if let (Some(before), Some(map)) = (before, &map) {
                        return Err(map.mistake(format!("{before} and {name} both become {there}")));
                    }
                }
                None => own.push(name),
            }
        }
        if let (Some(map), Some(name)) = (&map, unused.iter().min()) {
            return Err(map.mistake(format!("the file of weights has nothing called {name}")));
        }
        let prefix = prefix(&own, &known);
        for name in own {
            let short = name.strip_prefix(&prefix).unwrap_or(name);
            let before = here.insert(short.to_string(), name.to_string());
            if let (Some(before), Some(map)) = (before, &map) {
                return Err(map.mistake(format!("{before} and {name} both become {short}")));
            }
        }
        Ok(Names { here, prefix })
    }

    /// Returns the name in the file of the network's tensor `name`.
    pub fn of(&self, name: &str) -> Option<&str> {
        self.here.get(name).map(String::as_str)
    }

    /// Lists the tensors of the file that the network has not, but for those that training alone
    /// needs.
    pub fn unknown(&self, specs: &[TensorSpec]) -> Vec<String> {
        let known: HashSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        let passed_over = |name: &str| {
            Slot::split(name).is_some()
                || name.starts_with(GRADIENT_SUM_PREFIX)
                || name.ends_with(".num_batches_tracked")
        };
        let names = self.here.keys();
        let names = names.filter(|name| !known.contains(name.as_str()) && !passed_over(name));
        names.cloned().collect()
    }

    /// Says which beginning is left out, if one is.
    pub fn note(&self) -> Option<String> {
        let prefix = &self.prefix;
        (!prefix.is_empty())
            .then(|| format!("`{prefix}` is left out before the names of its tensors"))
    }
}

/// Finds what PyTorch has put before all `names`; nothing where the network has one as it is.
fn prefix(names: &[&str], known: &HashSet<&str>) -> String {
    let mut prefix = String::new();
    if names.iter().any(|name| known.contains(name)) {
        return prefix;
    }
    let all_begin =
        |prefix: &str| !names.is_empty() && names.iter().all(|name| name.starts_with(prefix));
    while let Some(more) = PREFIXES
        .iter()
        .map(|more| format!("{prefix}{more}"))
        .find(|longer| all_begin(longer))
    {
        prefix = more;
    }
    prefix
}

/// Names of a file of weights, or beginnings of them, and what they are in the network.
struct Map<'a> {
    path: &'a Path,
    names: BTreeMap<String, String>,
}

impl<'a> Map<'a> {
    fn read(path: &'a Path) -> Result<Map<'a>> {
        let help = "it is a JSON object from names in the file of weights to the network's, such as \
                    {\"fc.weight\": \"linear0.weight\", \"layer1.0\": \"stage1.0\"}";
        let text = files::read_text(path).map_err(|e| Error::io("read", path, e).help(help))?;
        let names = serde_json::from_str(&text);
        let names = names
            .map_err(|e| Error::new(format!("--weights-names {}: {e}", path.shown())).help(help))?;
        Ok(Map { path, names })
    }

    /// Finds the longest key that `name` is or is below, and the network's name.
    fn find(&self, name: &str) -> Option<(&str, String)> {
        let ends = name.match_indices('.').map(|(at, _)| at);
        let mut ends: Vec<usize> = ends.chain([name.len()]).collect();
        ends.reverse();
        ends.into_iter().find_map(|end| {
            let (key, there) = self.names.get_key_value(&name[..end])?;
            Some((key.as_str(), format!("{there}{}", &name[end..])))
        })
    }

    fn mistake(&self, what: String) -> Error {
        Error::new(format!("--weights-names {}: {what}", self.path.shown()))
            .help("each name is one of the file of weights, and becomes one of its own")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_those_of_all_names() {
        let known = HashSet::from(["fc.weight", "module.fc.weight"]);
        let found = |names: &[&str]| prefix(names, &known);
        assert_eq!(
            found(&["module._orig_mod.a", "module._orig_mod.b"]),
            "module._orig_mod."
        );
        assert_eq!(found(&["_orig_mod.a.weight"]), "_orig_mod.");
        assert_eq!(found(&["module.a", "b"]), "");
        assert_eq!(found(&["module.fc.weight"]), "", "the network has a module");
        assert_eq!(found(&[]), "");
    }

    #[test]
    fn the_longest_key_counts() {
        let pairs = [("a", "x"), ("a.b", "y"), ("a.b.c", "z")];
        let names = pairs.map(|(a, b)| (a.to_string(), b.to_string())).into();
        let map = Map {
            path: Path::new("map.json"),
            names,
        };
        let found = |name| map.find(name).map(|(_, there)| there);
        assert_eq!(found("a.b.c").as_deref(), Some("z"));
        assert_eq!(found("a.b.d").as_deref(), Some("y.d"));
        assert_eq!(found("a.bc").as_deref(), Some("x.bc"));
        assert_eq!(found("ab"), None);
    }
}
