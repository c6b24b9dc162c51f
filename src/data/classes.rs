//! Classes matched by name, not by position.

use super::Dataset;
use super::faults::LINE;
use crate::error::{Error, Result};
use crate::text::listed_names;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;

/// Names of a kind that an error lists before it only counts.
const NAMED: usize = 20;

/// Names by their composed form, in which names that look alike are the same.
pub(super) struct Composed<'a>(HashMap<String, &'a str>);

impl<'a> Composed<'a> {
    /// Indexes `names`.
    pub fn new(names: impl IntoIterator<Item = &'a str>) -> Self {
        let by_form = names.into_iter().map(|name| (composed(name), name));
        Composed(by_form.collect())
    }

    /// Finds a name that looks like `name` and is written with other characters.
    pub fn twin(&self, name: &str) -> Option<&'a str> {
        let found = self.0.get(&composed(name))?;
        (*found != name).then_some(*found)
    }

    /// Says of those of `names` that have a twin that they do.
    pub fn explain(&self, names: &[impl AsRef<str>]) -> Option<String> {
        let twins = names.iter().map(AsRef::as_ref).filter_map(|name| {
            let twin = self.twin(name)?;
            Some(format!(
                "`{name}` ({}) looks like `{twin}` ({})",
                code_points(name),
                code_points(twin)
            ))
        });
        let twins: Vec<String> = twins.take(NAMED).collect();
        match twins.as_slice() {
            [] => None,
            twins => Some(format!(
                "{}: the same letters in two normal forms of Unicode",
                twins.join(LINE)
            )),
        }
    }
}

fn composed(name: &str) -> String {
    name.nfc().collect()
}

/// Lists the characters of a name from outside ASCII.
fn code_points(name: &str) -> String {
    let foreign = name.chars().filter(|c| !c.is_ascii());
    let points: Vec<String> = foreign.map(|c| format!("U+{:04X}", u32::from(c))).collect();
    points.join(" ")
}

/// Finds the index that each of the classes `found` has among those of a trained network. Classes
/// of the network may be missing.
///
/// # Errors
/// Where the network does not know some of the classes: all of them are listed.
pub(super) fn indices(name: &str, found: &[String], trained: &[String]) -> Result<Vec<u32>> {
    let known: HashMap<&str, u32> = trained.iter().map(String::as_str).zip(0..).collect();
    let indices = found.iter().map(|class| known.get(class.as_str()).copied());
    let indices: Vec<Option<u32>> = indices.collect();
    let unknown: Vec<&str> = found
        .iter()
        .zip(&indices)
        .filter(|(_, index)| index.is_none())
        .map(|(class, _)| class.as_str())
        .collect();
    if unknown.is_empty() {
        return Ok(indices.into_iter().flatten().collect());
    }
    let twins = Composed::new(trained.iter().map(String::as_str)).explain(&unknown);
    let twins = twins
        .map(|twins| format!("{twins};{LINE}"))
        .unwrap_or_default();
    let classes = match unknown.len() {
        1 => "a class that the network does not know".to_string(),
        n => format!("{n} classes that the network does not know"),
    };
    Err(Error::new(format!(
        "{name} has {classes}: {}",
        listed_names(&unknown, NAMED)
    ))
    .help(format!(
        "{twins}it was trained on {};{LINE}rename the classes, or give other data with --data \
         and --data-dir",
        listed_names(trained, NAMED)
    )))
}

impl Dataset {
    /// Labels the images by the classes of a trained network, which are found by their names.
    ///
    /// # Errors
    /// Where the network does not know some of the classes.
    pub(super) fn labelled_by(mut self, trained: &[String]) -> Result<Dataset> {
        let indices = indices(&self.name, &self.classes, trained)?;
        for split in [&mut self.train, &mut self.test] {
            for label in &mut split.labels {
                *label = indices[*label as usize];
            }
        }
        self.classes = trained.to_vec();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn classes_have_the_index_of_their_name() {
        let trained = names(&["ant", "bee", "cat"]);
        let found = names(&["cat", "ant"]);
        assert_eq!(indices("d", &found, &trained), Ok(vec![2, 0]));
        let refused = indices("d", &names(&["dog", "ant", "eel"]), &trained).unwrap_err();
        assert_eq!(
            refused.message,
            "d has 2 classes that the network does not know: `dog`, `eel`"
        );
    }

    #[test]
    fn names_that_look_alike_are_said_to() {
        let trained = names(&["caf\u{e9}", "tea"]);
        let refused = indices("d", &names(&["cafe\u{301}", "tea"]), &trained).unwrap_err();
        let help = refused.help.unwrap();
        assert!(help.contains("(U+0301) looks like"), "{help}");
        assert!(help.contains("(U+00E9): the same letters"), "{help}");
    }
}
