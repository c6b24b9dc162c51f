//! `sweep.json`: what a sweep is, enough to repeat it.

use super::grid::Grid;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use crate::flags::{OnOff, Options, Value as Kind};
use crate::text::quote;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Version of the file's layout.
const VERSION: u32 = 1;

/// The grid, and what all its runs have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    version: u32,
    /// The name of the `.van` file; its copy is beside `sweep.json`.
    pub file: String,
    /// The axes that are varied, and the seeds.
    #[serde(flatten)]
    pub grid: Grid,
    /// The flags of `vanc train` that every run is given, without their dashes: those
    /// on which its numbers depend.
    pub options: BTreeMap<String, String>,
}

impl Settings {
    /// Makes a sweep of `grid` over `file`.
    pub fn new(file: String, grid: Grid, options: BTreeMap<String, String>) -> Self {
        Settings {
            version: VERSION,
            file,
            grid,
            options,
        }
    }

    /// Writes the text of the file.
    ///
    /// # Errors
    /// Where the settings cannot be written as JSON.
    pub fn to_text(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|e| Error::new(format!("cannot write down the sweep: {e}")))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, or is of another version.
    pub fn read(path: &Path) -> Result<Settings> {
        let text = files::read(path).map_err(|e| Error::io("read", path, e))?;
        let damaged = |what: String| {
            Error::new(format!("{} is damaged: {what}", path.shown()))
                .help("remove it, and give the sweep's own command again: runs that are done stay")
        };
        let settings: Settings =
            serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
        if settings.version != VERSION {
            return Err(Error::new(format!(
                "{} is of version {}; this program reads version {VERSION}",
                path.shown(),
                settings.version
            ))
            .help(
                "go on with the program that began the sweep, or name another folder with --out",
            ));
        }
        settings.grid.check().map_err(|e| damaged(e.message))?;
        Ok(settings)
    }

    /// Lists the flags of `vanc train` that a run is given, those of all runs first.
    pub fn flags(&self, values: &[String], seed: u64) -> Vec<String> {
        let common = self.options.iter();
        let common = common.filter_map(|(name, value)| flag(name, value));
        let axes = self.grid.axes.iter().zip(values);
        let axes = axes.filter_map(|(axis, value)| flag(&axis.name, value));
        let seed = flag("seed", &seed.to_string());
        common.chain(axes).chain(seed).collect()
    }

    /// Writes values as in the sweep `begun`, where `is_same` says of an axis or a flag, and the two
    /// ways to write it, that they are one value: a run's folder is named by them.
    pub fn spell_as(&mut self, begun: &Settings, is_same: &dyn Fn(&str, &str, &str) -> bool) {
        let spell = |name: &str, known: &[String], value: &mut String| {
            let is_same = |there: &&String| is_same(name, there, value);
            if !known.contains(value)
                && let Some(there) = known.iter().find(is_same)
            {
                value.clone_from(there);
            }
        };
        for axis in &mut self.grid.axes {
            let known = begun.grid.axes.iter().find(|there| there.name == axis.name);
            let known = known.map_or(&[][..], |there| there.values.as_slice());
            let values = axis.values.iter_mut();
            values.for_each(|value| spell(&axis.name, known, value));
        }
        for (name, value) in &mut self.options {
            let known = begun.options.get(name);
            spell(name, known.map_or(&[], std::slice::from_ref), value);
        }
    }

    /// Says why the sweep `begun` is not a part of this one; nothing where this one is the same
    /// or only adds values or seeds.
    pub fn differences(&self, begun: &Settings) -> Vec<String> {
        let mut out = Vec::new();
        if begun.file != self.file {
            out.push(format!(
                "the file is {} there, {} here",
                begun.file, self.file
            ));
        }
        let names = |grid: &Grid| {
            let names: Vec<&str> = grid.axes.iter().map(|axis| axis.name.as_str()).collect();
            match names.is_empty() {
                true => "nothing but the seed".into(),
                false => names.join(", "),
            }
        };
        let (there, here) = (names(&begun.grid), names(&self.grid));
        if there != here {
            out.push(format!("{there} is varied there, {here} here"));
        } else {
            for (there, here) in begun.grid.axes.iter().zip(&self.grid.axes) {
                left_out(&there.name, &there.values, &here.values, &mut out);
            }
        }
        left_out("seed", &begun.grid.seeds, &self.grid.seeds, &mut out);
        let both = begun.options.iter().chain(&self.options);
        let names: std::collections::BTreeSet<&String> = both.map(|(name, _)| name).collect();
        for name in names {
            let value = |options: &BTreeMap<String, String>| match options.get(name) {
                Some(value) => quote(value),
                None => "not given".into(),
            };
            let (there, here) = (value(&begun.options), value(&self.options));
            if there != here {
                out.push(format!("--{name} is {there} there, {here} here"));
            }
        }
        out
    }
}

/// Writes a flag of `vanc train`; nothing for a switch that is off.
fn flag(name: &str, value: &str) -> Option<String> {
    match (is_switch(name), value) {
        (false, value) => Some(format!("--{name}={value}")),
        (true, value) => (value == OnOff::On.name()).then(|| format!("--{name}")),
    }
}

/// Whether `name` is a flag of `vanc train` that takes no value; in a sweep it is on or off.
pub fn is_switch(name: &str) -> bool {
    Options::flags().any(|flag| flag.name == name && flag.value == Kind::Switch)
}

/// Notes the values that are `there` and not `here`.
fn left_out<T: PartialEq + ToString>(name: &str, there: &[T], here: &[T], out: &mut Vec<String>) {
    let missing = there.iter().filter(|value| !here.contains(value));
    let missing: Vec<String> = missing.map(T::to_string).collect();
    if !missing.is_empty() {
        out.push(format!("{name} {} is there, not here", missing.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::Axis;
    use super::*;
    use serde_json::{Value, json};

    fn settings(axes: &[&str], seeds: &[u64], options: &[(&str, &str)]) -> Settings {
        let grid = Grid {
            axes: axes.iter().map(|text| Axis::parse(text).unwrap()).collect(),
            seeds: seeds.to_vec(),
        };
        let options = options.iter().map(|(a, b)| (a.to_string(), b.to_string()));
        Settings::new("x.van".into(), grid, options.collect())
    }

    #[test]
    fn only_growth_is_no_difference() {
        let begun = settings(&["depth=1,5", "policy=plain"], &[0, 1], &[("epochs", "5")]);
        assert!(begun.differences(&begun).is_empty());
        let more = settings(
            &["depth=1,3,5", "policy=plain,dirac"],
            &[0, 1, 2],
            &[("epochs", "5")],
        );
        assert!(more.differences(&begun).is_empty());
        assert_eq!(
            begun.differences(&more),
            [
                "depth 3 is there, not here",
                "policy dirac is there, not here",
                "seed 2 is there, not here"
            ]
        );
        let other = settings(
            &["policy=plain"],
            &[0, 1],
            &[("epochs", "6"), ("batch", "8")],
        );
        assert_eq!(
            other.differences(&begun),
            [
                "depth, policy is varied there, policy here",
                "--batch is not given there, 8 here",
                "--epochs is 5 there, 6 here"
            ]
        );
    }

    #[test]
    fn the_file_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sweep.json");
        let written = settings(&["policy=variable(lambda: 0)"], &[3], &[("rate", "0.1")]);
        std::fs::write(&path, written.to_text().unwrap()).unwrap();
        assert_eq!(Settings::read(&path).unwrap(), written);
        assert_eq!(
            written.flags(&["plain".into()], 3),
            ["--rate=0.1", "--policy=plain", "--seed=3"]
        );
        let version = Value::from(VERSION + 1);
        for (key, wrong) in [
            ("version", version),
            ("seeds", json!([])),
            ("axes", json!("x")),
        ] {
            let mut settings = json!(written);
            settings[key] = wrong;
            std::fs::write(&path, settings.to_string()).unwrap();
            let error = Settings::read(&path).unwrap_err();
            assert!(error.message.contains("sweep.json"), "{error}");
        }
    }
}
