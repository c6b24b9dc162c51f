//! `config.json`: everything a run was started with, enough to repeat it.

use super::run_folder;
use crate::error::{Error, Result};
use crate::flags::{Flag, Options};
use crate::ir::{Model, Train};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Version of the file's layout.
const FORMAT: u32 = 1;

/// Keys of what the file and its `train` section say.
const NETWORK: [&str; 3] = ["model", "params", "train"];

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
            ("command".into(), json!(options.command(None))),
            ("model".into(), json!(model.name)),
            ("params".into(), json!(params.collect::<Map<_, _>>())),
            ("train".into(), json!(model.train)),
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
        let text = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        match serde_json::from_slice(&text) {
            Ok(Value::Object(config)) => Ok(Config(config).upgraded()),
            Ok(_) => Err("it is no JSON object".to_string()),
            Err(e) => Err(e.to_string()),
        }
        .map_err(|e| {
            Error::new(format!(
                "the settings in {} are damaged: {e}",
                path.display()
            ))
            .help(
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

    /// Takes over what only mattered at the start of the run `started`.
    pub fn keep_start_of(&mut self, started: &Config) {
        if let Some(weights) = started.0.get("weights") {
            self.0.insert("weights".into(), weights.clone());
        }
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

    /// Lists the settings that differ from the run `started`, of all that may not: with any of
    /// them changed, the numbers would be those of no run. The rest (epochs, steps, threads,
    /// logging, where the data is) may, and so may the device: a checkpoint moves from one to
    /// another, and the numbers are the same but for rounding.
    pub fn differences(&self, started: &Config) -> Vec<String> {
        let mut out = Vec::new();
        let flags = Options::flags().filter(|flag| flag.fixed).map(Flag::key);
        let fixed: Vec<String> = NETWORK.map(String::from).into_iter().chain(flags).collect();
        for key in self.0.keys().filter(|key| fixed.contains(key)) {
            // Older runs do not say it, and had no choice.
            let unsaid = match key.as_str() {
                "winograd" => json!(true),
                _ => Value::Null,
            };
            let value = |config: &Config| match config.0.get(key).unwrap_or(&unsaid) {
                // The device may change.
                value if key == "engine" && value == "cpu" => json!("compiled"),
                value => value.clone(),
            };
            let (mut there, mut here) = (value(started), value(self));
            for train in [&mut there, &mut here] {
                if let Some(train) = train.as_object_mut().filter(|_| key == "train") {
                    train.remove("epochs");
                    forget_rates_that_follow(train);
                }
            }
            compare(key, &there, &here, &mut out);
        }
        out
    }
}

/// Removes the constraint's rates where they follow from its time, and so from the epochs.
fn forget_rates_that_follow(train: &mut Map<String, Value>) {
    let constraint = train.get_mut("constraint").and_then(Value::as_object_mut);
    if let Some(constraint) = constraint.filter(|constraint| constraint.contains_key("fade")) {
        constraint.retain(|key, _| key != "alpha_rate" && key != "lambda_rate");
    }
}

fn compare(path: &str, there: &Value, here: &Value, out: &mut Vec<String>) {
    match (there, here) {
        (Value::Object(a), Value::Object(b)) => {
            let null = Value::Null;
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            for key in keys {
                let entry = |map: &'_ Map<String, Value>| map.get(key).unwrap_or(&null).clone();
                compare(&format!("{path}.{key}"), &entry(a), &entry(b), out);
            }
        }
        (a, b) if a == b => {}
        (a, b) => {
            let path = path.strip_prefix("train.").unwrap_or(path);
            out.push(format!("{path} is {a} in the run, {b} here"));
        }
    }
}
