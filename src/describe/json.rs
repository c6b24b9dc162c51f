//! The network for programs.

use super::cost::{own_cost, totals};
use super::words::layer_words;
use crate::ir::{Layer, Model, ModelParam};
use serde_json::{Map, Value, json};

/// Writes the network as one JSON object:
///
/// - `name`, `doc`, `params` (values by name), `input` and `output` (shapes);
/// - `parameters`: `name`, `shape`, `role` of every tensor, in forward order;
/// - `layers`: `path`, `kind`, `words`, `input`, `output`, `parameters`,
///   `multiply_adds` of every layer, a `skip` or `concat` before its body;
/// - `totals`: `depth`, `parameters`, `multiply_adds`;
/// - `train`: the training settings.
pub fn json(model: &Model) -> Value {
    let params = model.params.iter().map(|p| (p.name.clone(), param_json(p)));
    let mut layers = Vec::new();
    model.walk(&mut |layer| layers.push(layer_json(layer)));
    let totals = totals(model);
    json!({
        "name": model.name,
        "doc": model.doc,
        "params": params.collect::<Map<_, _>>(),
        "input": model.input,
        "output": model.output,
        "parameters": model.tensors(),
        "layers": layers,
        "totals": {
            "depth": totals.depth,
            "parameters": number(totals.parameters),
            "multiply_adds": number(totals.multiply_adds),
        },
        "train": model.train,
    })
}

fn layer_json(layer: &Layer) -> Value {
    let cost = own_cost(layer);
    json!({
        "path": layer.path,
        "kind": layer.op.keyword(),
        "words": layer_words(layer),
        "input": layer.input,
        "output": layer.output,
        "parameters": number(cost.parameters),
        "multiply_adds": number(cost.multiply_adds),
    })
}

/// Writes the value of a param: a number, a boolean, or a policy as it is written.
fn param_json(param: &ModelParam) -> Value {
    match param.kind {
        "skip" => Value::from(param.value.as_str()),
        _ => serde_json::from_str(&param.value).unwrap_or(Value::Null),
    }
}

/// Writes a count as a JSON number; past 2⁶⁴ it is rounded.
fn number(n: u128) -> Value {
    u64::try_from(n).map_or_else(|_| Value::from(n as f64), Value::from)
}
