//! Values of a sweep by what `vanc train` makes of them, however they are written.

use crate::check::{self, Override, ParamInfo};
use crate::cli::output::style;
use crate::cli::{arguments, refuse, train};
use crate::diag::Sources;
use crate::escape::Shown;
use crate::flags::{Options, SETTINGS};
use crate::ir::Model;
use crate::sweep::settings::Settings;
use crate::syntax;
use crate::train::difference::{Difference, of_models};
use std::path::Path;

/// A file, as `vanc train` reads it with the flags of a run.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    pub path: &'a Path,
    pub text: &'a str,
    pub params: &'a [ParamInfo],
}

impl File<'_> {
    /// Makes the network and options of a run with these flags; on a mistake, what there is to
    /// show.
    pub fn read(&self, flags: &[String]) -> Result<(Model, Options), String> {
        let words = ["train", "FILE"].map(String::from);
        let matches = train::COMMAND
            .to_clap(self.params, None)
            .try_get_matches_from(words.iter().chain(flags))
            .map_err(|e| refuse::explain(&e, &train::COMMAND, self.params))?;
        let read = arguments::options(self.path, self.params, &matches);
        let options = read
            .and_then(|options| options.check().map(|()| options))
            .map_err(|e| e.to_string())?;
        let mut sources = Sources::new(self.path.shown(), self.text);
        let overrides = Override::list(&options.overrides);
        let model = check::check(&mut sources, &overrides, true).map_err(|mistakes| {
            let screens = mistakes.iter().map(|m| m.render(&sources, style()));
            screens.collect::<Vec<_>>().join("\n")
        })?;
        Ok((model, options))
    }

    /// Writes in one way what all values of `name` that mean the same as `value` have in common,
    /// in the first run of the sweep; nothing where the run would not be sound.
    pub fn meaning(&self, settings: &Settings, name: &str, value: &str) -> Option<String> {
        let mut settings = settings.clone();
        settings.options.remove(name);
        let axes = settings.grid.axes.iter();
        let first = axes.map(|axis| match axis.name == name {
            true => value.to_string(),
            false => axis.values.first().cloned().unwrap_or_default(),
        });
        let first: Vec<String> = first.collect();
        if settings.grid.axes.iter().all(|axis| axis.name != name) {
            settings.options.insert(name.into(), value.into());
        }
        let seed = settings.grid.seeds.first().copied().unwrap_or_default();
        let (model, options) = self.read(&settings.flags(&first, seed)).ok()?;
        let param = model.params.iter().find(|param| param.name == name);
        match param {
            Some(param) => Some(param.value.clone()),
            None if SETTINGS.iter().any(|flag| flag.name == name) => {
                serde_json::to_string(&model.train).ok()
            }
            None => Some(format!("{options:?}")),
        }
    }

    /// Whether two ways to write a value of `name` mean the same.
    pub fn is_same(&self, settings: &Settings, name: &str, a: &str, b: &str) -> bool {
        let meaning = |value| self.meaning(settings, name, value);
        a == b || meaning(a).is_some_and(|a| Some(a) == meaning(b))
    }

    /// Drops the values of the axes that mean the same as one before them; says which.
    pub fn drop_doubles(&self, settings: &mut Settings) -> Vec<String> {
        let mut said = Vec::new();
        for index in 0..settings.grid.axes.len() {
            let axis = settings.grid.axes[index].clone();
            if axis.values.len() < 2 {
                continue;
            }
            let mut kept: Vec<(String, String)> = Vec::new();
            for value in axis.values {
                let meaning = self.meaning(settings, &axis.name, &value);
                let meaning = meaning.unwrap_or_else(|| value.clone());
                match kept.iter().find(|(known, _)| *known == meaning) {
                    Some((_, first)) if *first == value => {
                        said.push(format!("{}: {value} is there twice", axis.name));
                    }
                    Some((_, first)) => {
                        said.push(format!("{}: {value} is the same as {first}", axis.name));
                    }
                    None => kept.push((meaning, value)),
                }
            }
            settings.grid.axes[index].values = kept.into_iter().map(|(_, value)| value).collect();
        }
        said
    }

    /// Says how the file differs from the `text` that the sweep `begun` has, in the first run of
    /// it that it makes a difference to.
    pub fn changes(&self, begun: &Settings, text: &str) -> Vec<String> {
        let unsound = || {
            vec![format!(
                "{} has changed, and is not sound there",
                begun.file
            )]
        };
        let params = syntax::parse(text, 0).map(|file| check::param_infos(&file));
        let Ok(params) = params else {
            return unsound();
        };
        let there = File {
            text,
            params: &params,
            ..*self
        };
        let seed = begun.grid.seeds.first().copied().unwrap_or_default();
        for values in begun.grid.combinations() {
            let flags = begun.flags(&values, seed);
            // A mistake here is another's to tell: a value that is no more.
            let Ok((here, options)) = self.read(&flags) else {
                continue;
            };
            let Ok((there, _)) = there.read(&flags) else {
                return unsound();
            };
            let mut differences = of_models(&there, &here);
            if there.train.epochs != here.train.epochs {
                differences.push(Difference {
                    name: "epochs".into(),
                    there: there.train.epochs.to_string(),
                    here: here.train.epochs.to_string(),
                });
            }
            let said = |difference: &Difference| {
                difference.said("in the sweep", &difference.source(&options.overrides))
            };
            if !differences.is_empty() {
                return differences.iter().map(said).collect();
            }
        }
        Vec::new()
    }
}
