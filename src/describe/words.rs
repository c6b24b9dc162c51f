//! Words of layers: the operation of each, in a few words.

use crate::ir::Layer;

/// Describes a layer: `conv 3×3, 64→128, stride 2`; what is not said has its default.
pub fn layer_words(layer: &Layer) -> String {
    let operation = layer.op.operation();
    operation.words(layer.input, layer.output).join(", ")
}
