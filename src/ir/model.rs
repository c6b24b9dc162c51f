//! The network as a tree of layers.

use super::layers::Layer;
use super::role::Start;
use super::shape::Shape;
use super::train::Train;

/// A checked network with its training settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Name after `model`.
    pub name: String,
    /// The file's params with the values they have here, in the file's order.
    pub params: Vec<ModelParam>,
    /// The `///` text before `model`.
    pub doc: Option<String>,
    /// Shape of one input sample; always an image.
    pub input: Shape,
    /// The layers in the order they run. Repeats and blocks are expanded;
    /// `skip` and `concat` hold their bodies.
    pub layers: Vec<Layer>,
    /// Shape of what the last layer makes: the logits.
    pub output: Shape,
    /// Training settings; defaults where the file says nothing.
    pub train: Train,
    /// Paths of what stays as it is in training.
    pub frozen: Vec<String>,
}

/// A `param` of the file and the value it has in a [`Model`].
#[derive(Clone, Debug, PartialEq)]
pub struct ModelParam {
    /// Name of the param, and of its flag.
    pub name: String,
    /// `int`, `float`, `bool` or `skip`.
    pub kind: &'static str,
    /// The value, as it would be written in the file.
    pub value: String,
    /// Text of the `///` comment before the declaration.
    pub doc: Option<String>,
}

impl Model {
    /// Calls `visit` on every layer, a `skip` or `concat` before its body.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Layer)) {
        fn walk<'a>(layers: &'a [Layer], visit: &mut dyn FnMut(&'a Layer)) {
            for layer in layers {
                visit(layer);
                walk(layer.op.body(), visit);
            }
        }
        walk(&self.layers, visit);
    }

    /// Whether skips are to vanish: some have multipliers that move.
    pub fn has_constrained_skips(&self) -> bool {
        let moves = |start| matches!(start, Start::Multiplier(held) if held.enforced);
        self.tensors().iter().any(|tensor| moves(tensor.start))
    }
}
