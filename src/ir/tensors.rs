//! The tensors a network owns, by the names they have everywhere.

use super::layers::Layer;
use super::model::Model;
use super::role::{Role, Start};
use crate::error::{Error, Result};
use crate::suggest::nearest;
use serde::Serialize;

/// Name, shape and role of one tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorSpec {
    /// Path in the network.
    pub name: String,
    /// Extent of each dimension, in PyTorch's layout.
    pub shape: Vec<usize>,
    /// Purpose of the tensor.
    pub role: Role,
    /// Content before training.
    #[serde(skip)]
    pub start: Start,
    /// Whether it stays as it is.
    #[serde(skip)]
    pub frozen: bool,
}

impl TensorSpec {
    /// Whether the optimizer moves the tensor.
    pub fn is_optimized(&self) -> bool {
        self.role.is_optimized() && !self.frozen
    }
}

impl Model {
    /// Lists every tensor of the network in forward order; in a `skip`, those of the body, then
    /// the projection, the gate, α and λ.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut out = Vec::new();
        collect(&self.layers, &mut out);
        for spec in &mut out {
            spec.frozen = self.frozen.iter().any(|path| is_within(&spec.name, path));
        }
        out
    }

    /// Freezes the tensors at `paths`, separated by commas, and below: they and the statistics of
    /// their norms stay as they are.
    ///
    /// # Errors
    /// Where a path is none of the network's, or nothing is left to be trained.
    pub fn freeze(&mut self, paths: &str) -> Result<()> {
        let specs = self.tensors();
        let mut frozen = Vec::new();
        for path in paths.split(',').map(str::trim) {
            if !specs.iter().any(|spec| is_within(&spec.name, path)) {
                return Err(no_path(path, &specs));
            }
            frozen.push(path.to_string());
        }
        self.frozen = frozen;
        match self.tensors().iter().any(TensorSpec::is_optimized) {
            true => Ok(()),
            false => Err(
                Error::new(format!("--freeze {paths}: no weight is left to be trained"))
                    .help("`vanc eval` tests a network as it is"),
            ),
        }
    }
}

/// Whether `name` is the path of the tensor `name`, or of a layer or block around it.
fn is_within(name: &str, path: &str) -> bool {
    let rest = name.strip_prefix(path);
    !path.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Makes the error of a path at which there is nothing.
fn no_path(path: &str, specs: &[TensorSpec]) -> Error {
    let around = |name: &'_ str| {
        let dots = name.char_indices().filter(|(_, c)| *c == '.');
        let ends: Vec<usize> = dots.map(|(at, _)| at).chain([name.len()]).collect();
        ends.into_iter()
            .map(|end| name[..end].to_string())
            .collect::<Vec<_>>()
    };
    let known: Vec<String> = specs.iter().flat_map(|spec| around(&spec.name)).collect();
    let error = Error::new(format!(
        "--freeze {path}: the network has no layer and no tensor of that path"
    ));
    error.help(match nearest(path, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`vanc describe FILE` lists the paths of the layers".into(),
    })
}

impl Layer {
    /// Lists the tensors of this layer, without those of its body.
    pub fn own_tensors(&self) -> Vec<TensorSpec> {
        let operation = self.op.operation();
        let own = operation.tensors(self.input, self.output).into_iter();
        own.map(|tensor| TensorSpec {
            name: format!("{}.{}", self.path, tensor.name),
            shape: tensor.shape,
            role: tensor.role,
            start: tensor.start,
            frozen: false,
        })
        .collect()
    }
}

fn collect(layers: &[Layer], out: &mut Vec<TensorSpec>) {
    for layer in layers {
        collect(layer.op.body(), out);
        out.extend(layer.own_tensors());
    }
}
