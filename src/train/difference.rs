//! Differences between two trainings by what they mean: settings, params, flags and layers, each
//! named with both values. How the file is written makes none.

use crate::describe::layer_words;
use crate::flags::Overrides;
use crate::ir::{Layer, Model, Op};
use crate::span::Span;
use serde_json::{Map, Value};

/// A setting, param, flag or layer that is not the same in two trainings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name of it: `batch`, `optimizer.rate`, `stage1.0.conv0`.
    pub name: String,
    /// Value in the training that is compared with.
    pub there: String,
    /// Value in this training.
    pub here: String,
}

impl Difference {
    /// Writes the difference with words for the two places: `batch: 32 in the run, 64 in the file`.
    pub fn said(&self, there: &str, here: &str) -> String {
        let Difference {
            name,
            there: old,
            here: new,
        } = self;
        format!("{name}: {old} {there}, {new} {here}")
    }

    /// Says what set the value here: one of the flags `given`, or the file.
    pub fn source(&self, given: &Overrides) -> String {
        let root = self.name.split('.').next().unwrap_or_default();
        let names = || given.params.iter().chain(&given.settings);
        let flag = names()
            .map(|(name, _)| name.as_str())
            .find(|&name| name == root || self.name == format!("optimizer.{name}"));
        flag.map_or("in the file".into(), |flag| format!("by --{flag}"))
    }
}

/// Compares two networks and their settings of training, but for the epochs. Params are named
/// where they make a difference; layers, where no param does.
pub fn of_models(there: &Model, here: &Model) -> Vec<Difference> {
    let mut out = Vec::new();
    if there.name != here.name {
        out.push(difference("model", &there.name, &here.name));
    }
    of_params(there, here, &mut out);
    let params = out.len();
    let settings = |model: &Model| {
        let mut settings = serde_json::to_value(&model.train).unwrap_or_default();
        if let Some(settings) = settings.as_object_mut() {
            settings.remove("epochs");
        }
        settings
    };
    of_values("", &settings(there), &settings(here), &mut out);
    let settings = out.len();
    of_layers(there, here, &mut out);
    match out.len() == params {
        // A param that nothing depends on.
        true => out.retain(|difference| difference.name == "model"),
        false if params > 0 => out.truncate(settings),
        false => {}
    }
    out
}

fn of_params(there: &Model, here: &Model, out: &mut Vec<Difference>) {
    let value = |model: &Model, name: &str| {
        let param = model.params.iter().find(|param| param.name == name);
        param.map_or("none".to_string(), |param| param.value.clone())
    };
    let names = |model: &Model| -> Vec<String> {
        model
            .params
            .iter()
            .map(|param| param.name.clone())
            .collect()
    };
    let mut all = names(there);
    all.extend(
        names(here)
            .into_iter()
            .filter(|name| !names(there).contains(name)),
    );
    for name in all {
        let (old, new) = (value(there, &name), value(here, &name));
        if old != new {
            out.push(difference(&name, &old, &new));
        }
    }
}

/// Names the first layer that differs.
fn of_layers(there: &Model, here: &Model, out: &mut Vec<Difference>) {
    if there.input != here.input {
        let (old, new) = (there.input.to_string(), here.input.to_string());
        out.push(difference("input", &old, &new));
    }
    let (old, new) = (layers(there), layers(here));
    let none = (String::new(), None);
    let pairs = (0..old.len().max(new.len())).map(|i| {
        let at = |layers: &[(String, Option<Layer>)]| layers.get(i).unwrap_or(&none).clone();
        (i, at(&old), at(&new))
    });
    let Some((i, (old, old_layer), (new, new_layer))) =
        pairs.into_iter().find(|(_, old, new)| old != new)
    else {
        return;
    };
    let path = |layer: &Option<Layer>| layer.as_ref().map(|layer| layer.path.clone());
    let (old_path, new_path) = (path(&old_layer), path(&new_layer));
    let shared = old_path.clone().filter(|_| old_path == new_path);
    let text = |words: String, path: Option<String>| match path {
        None => "none".into(),
        Some(_) if shared.is_some() => words,
        Some(path) => format!("{path} ({words})"),
    };
    let (old, mut new) = (text(old, old_path), text(new, new_path));
    let name = match &shared {
        Some(path) => format!("layer {path}"),
        None => format!("layer {}", i + 1),
    };
    if old == new {
        new = "of another definition".into();
    }
    out.push(difference(&name, &old, &new));
}

/// Lists the layers in forward order, each without its body and its place in the text, and the
/// words for it.
fn layers(model: &Model) -> Vec<(String, Option<Layer>)> {
    let mut out = Vec::new();
    model.walk(&mut |layer| {
        let mut bare = layer.clone();
        bare.span = Span::default();
        match &mut bare.op {
            Op::Skip(skip) => skip.body.clear(),
            Op::Concat(concat) => concat.body.clear(),
            Op::Conv(_)
            | Op::Linear(_)
            | Op::BatchNorm(_)
            | Op::Activation(_)
            | Op::Map(_)
            | Op::Flatten
            | Op::Dropout(_) => {}
        }
        out.push((layer_words(layer), Some(bare)));
    });
    out
}

/// Compares two JSON values, objects key by key; `path` names what they are.
pub(super) fn of_values(path: &str, there: &Value, here: &Value, out: &mut Vec<Difference>) {
    match (there, here) {
        (Value::Object(a), Value::Object(b)) => {
            let null = Value::Null;
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            for key in keys {
                let entry = |map: &Map<String, Value>| map.get(key).unwrap_or(&null).clone();
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                of_values(&path, &entry(a), &entry(b), out);
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push(difference(path, &text(a), &text(b))),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn difference(name: &str, there: &str, here: &str) -> Difference {
    Difference {
        name: name.into(),
        there: there.into(),
        here: here.into(),
    }
}
