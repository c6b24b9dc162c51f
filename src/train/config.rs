//! `config.json`: everything a run was started with, enough to repeat it and to go on with it, and
//! when and on what machine that was done.

use super::difference::{self, Difference};
use super::run_folder;
use super::run_session::RunSession;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use crate::flags::{Flag, OnOff, Options, Overrides, Value as Kind};
use crate::ir::{Model, Train};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::path::Path;

/// Version of the file's layout.
const FORMAT: u32 = 1;

/// Keys of what only the start of a run says, and a resume leaves as it is.
const START: [&str; 5] = [
    "version",
    "command",
    "weights",
    "weights_match",
    "weights_names",
];

/// Key of the list of [`RunSession`]s.
const SESSIONS: &str = "sessions";

/// Key of the [`Overrides`].
const OVERRIDES: &str = "overrides";

/// The settings of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config(Map<String, Value>);

impl Config {
    /// Collects the settings of a run of `model`.
    ///
    /// # Errors
    /// Where the options cannot be written as JSON.
    pub fn new(model: &Model, options: &Options) -> Result<Self> {
        let params = model.params.iter().map(|param| {
            // Numbers and booleans are written alike in both languages.
            let value = serde_json::from_str(&param.value)
                .ok()
                .filter(|value: &Value| value.is_number() || value.is_boolean())
                .unwrap_or_else(|| json!(param.value));
            (param.name.clone(), value)
        });
        let mut config = Map::from_iter([
            ("format".to_string(), json!(FORMAT)),
            ("version".into(), json!(env!("CARGO_PKG_VERSION"))),
            ("command".into(), json!(options.command())),
            ("model".into(), json!(model.name)),
            ("params".into(), json!(params.collect::<Map<_, _>>())),
            ("train".into(), json!(model.train)),
            (OVERRIDES.into(), json!(options.overrides)),
        ]);
        match serde_json::to_value(options) {
            Ok(Value::Object(flags)) => config.extend(flags),
            other => return Err(Error::new(format!("the settings are no object: {other:?}"))),
        }
        Ok(Config(config))
    }

    /// Writes the text of the file.
    pub fn to_text(&self) -> String {
        format!("{:#}\n", Value::Object(self.0.clone()))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let text = files::read(path).map_err(|e| Error::io("read", path, e))?;
        match serde_json::from_slice(&text) {
            Ok(Value::Object(config)) => Ok(Config(config).upgraded()),
            Ok(_) => Err("it is no JSON object".to_string()),
            Err(e) => Err(e.to_string()),
        }
        .map_err(|e| {
            Error::new(format!("the settings in {} are damaged: {e}", path.shown())).help(
                "remove the file to take this command's settings for the run's, \
                 or begin again with --force",
            )
        })
    }

    /// Reads the file of the run in the folder `dir`, if it is there.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged.
    pub fn of_run(dir: &Path) -> Result<Option<Self>> {
        let path = run_folder::config(dir);
        path.exists().then(|| Config::read(&path)).transpose()
    }

    /// Reads the text of the file; nothing where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        match serde_json::from_str(text) {
            Ok(Value::Object(config)) => Some(Config(config).upgraded()),
            Ok(_) | Err(_) => None,
        }
    }

    /// Adds what older versions did not write.
    fn upgraded(mut self) -> Self {
        let train = self.0.get_mut("train");
        let optimizer = train.and_then(|train| train.get_mut("optimizer"));
        if let Some(optimizer) = optimizer.and_then(Value::as_object_mut) {
            // There was no other.
            optimizer.entry("name").or_insert_with(|| json!("sgd"));
        }
        self
    }

    /// Replaces the training settings by ones of which more is known.
    pub fn set_train(&mut self, train: &Train) {
        self.0.insert("train".into(), json!(train));
    }

    /// Takes over what the start of the run `started` said, and its sessions so far.
    pub fn keep_start_of(&mut self, started: &Config) {
        for key in START.iter().chain([&SESSIONS]) {
            if let Some(value) = started.0.get(*key) {
                self.0.insert((*key).into(), value.clone());
            }
        }
    }

    /// Appends a session of the run.
    pub fn add_session(&mut self, session: &RunSession) {
        let sessions = self.0.entry(SESSIONS).or_insert_with(|| json!([]));
        match sessions.as_array_mut() {
            Some(sessions) => sessions.push(json!(session)),
            None => *sessions = json!([session]),
        }
    }

    /// Returns the flags that changed the model; nothing where an older version has not written
    /// them here.
    pub fn overrides(&self) -> Option<Overrides> {
        serde_json::from_value(self.0.get(OVERRIDES)?.clone()).ok()
    }

    /// Lists the flags of `vanc train` that the run is trained with, each with its value on the
    /// command line; that of a switch is empty.
    pub fn flags(&self) -> impl Iterator<Item = (&'static Flag<Options>, OsString)> {
        let flags = Options::flags().filter(|flag| flag.repeat.is_some());
        flags.filter_map(|flag| Some((flag, typed(flag, self.0.get(&flag.key())?)?)))
    }

    /// Returns the command that began the run, if it is there.
    pub fn command(&self) -> Option<&str> {
        self.0.get("command").and_then(Value::as_str)
    }

    /// Returns the setting called `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Lists the params of the file, and their values as they are written.
    pub fn params(&self) -> Vec<(String, String)> {
        let params = self.0.get("params").and_then(Value::as_object);
        let written = |value: &Value| match value.as_str() {
            Some(text) => text.to_string(),
            None => value.to_string(),
        };
        params
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), written(value)))
            .collect()
    }

    /// Lists the flags that differ from the run `started`, of those that may not: with any of them
    /// changed, the numbers would be those of no run. The rest (steps, threads, logging, where the
    /// data is) may, and so may the device: a checkpoint moves from one to another, and the
    /// numbers are the same but for rounding.
    pub fn differences(&self, started: &Config) -> Vec<Difference> {
        let mut out = Vec::new();
        for flag in Options::flags().filter(|flag| flag.fixed) {
            let key = flag.key();
            // Older runs do not say it, and had no choice.
            let unsaid = match key.as_str() {
                "winograd" => json!(true),
                _ => Value::Null,
            };
            let value = |config: &Config| match config.0.get(&key).unwrap_or(&unsaid) {
                // The device may change.
                value if key == "engine" && value == "cpu" => json!("compiled"),
                value => value.clone(),
            };
            difference::of_values(&key, &value(started), &value(self), &mut out);
        }
        out
    }
}

/// Writes a value of the file as the flag has it on the command line; nothing where the command
/// line would not have the flag.
fn typed(flag: &Flag<Options>, value: &Value) -> Option<OsString> {
    let text = match (value, flag.value) {
        (Value::Bool(on), Kind::Switch) => {
            let is_given = *on != flag.name.starts_with("no-");
            return is_given.then(OsString::new);
        }
        (Value::Bool(true), _) => OnOff::On.name().into(),
        (Value::Bool(false), _) => OnOff::Off.name().into(),
        (Value::String(text), _) => text.clone(),
        (Value::Number(number), _) => number.to_string(),
        (Value::Null | Value::Array(_) | Value::Object(_), _) => return None,
    };
    Some(text.into())
}
