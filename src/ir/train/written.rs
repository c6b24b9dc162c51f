//! Training settings as they are written in a file.

use super::{CONSTRAINTS, Train};
use serde::Serialize;
use serde_json::{Map, Value};

/// A setting of `train { … }` as it is written, with every argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Key of the setting.
    pub key: &'static str,
    /// Name or number that it is set to.
    pub name: String,
    /// Arguments of a call; none for a value without.
    pub arguments: Vec<String>,
}

impl Written {
    /// Writes the value in one line.
    pub fn value(&self) -> String {
        match self.arguments.as_slice() {
            [] => self.name.clone(),
            arguments => format!("{}({})", self.name, arguments.join(", ")),
        }
    }
}

impl Train {
    /// Writes every setting, in the order of a file.
    pub fn written(&self) -> Vec<Written> {
        let Train {
            data,
            loss,
            init,
            optimizer,
            schedule,
            constraint,
            epochs,
            batch,
            seed,
        } = self;
        let mut images = tagged("data", &data.kind);
        if !data.augment.is_empty() {
            let augment = value_text(&to_value(&data.augment));
            images.arguments.push(format!("augment: {augment}"));
        }
        vec![
            images,
            tagged("loss", loss),
            tagged("init", init),
            named("optimizer", optimizer),
            tagged("schedule", schedule),
            call(
                "constraint",
                CONSTRAINTS[0].name,
                &to_value(&constraint.as_written()),
            ),
            tagged("epochs", epochs),
            tagged("batch", batch),
            tagged("seed", seed),
        ]
    }
}

fn to_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Writes a value that carries its own name: a word, or the one key of an object.
fn tagged(key: &'static str, value: &impl Serialize) -> Written {
    let value = to_value(value);
    match value.as_object().and_then(|object| object.iter().next()) {
        Some((name, fields)) => call(key, name, fields),
        None => call(key, &value_text(&value), &Value::Null),
    }
}

/// Writes a value that has its name among its fields.
fn named(key: &'static str, value: &impl Serialize) -> Written {
    let mut value = to_value(value);
    let name = value
        .as_object_mut()
        .and_then(|fields| fields.shift_remove("name"));
    call(key, &value_text(&name.unwrap_or_default()), &value)
}

fn call(key: &'static str, name: &str, fields: &Value) -> Written {
    let none = Map::new();
    let fields = fields.as_object().unwrap_or(&none).iter();
    Written {
        key,
        name: name.to_string(),
        arguments: fields
            .map(|(name, value)| format!("{name}: {}", value_text(value)))
            .collect(),
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(x) if number.is_f64() => x.to_string(),
            Some(_) | None => number.to_string(),
        },
        Value::String(word) => word.clone(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(value_text).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(object) => {
            let calls = object
                .iter()
                .map(|(name, value)| format!("{name}({})", value_text(value)));
            calls.collect::<Vec<_>>().join(", ")
        }
    }
}
