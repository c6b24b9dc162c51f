//! The network as a graph for Graphviz.

use super::words::layer_words;
use crate::ir::{Layer, Model};
use std::fmt::Write;

/// Writes the network in DOT: a node a layer, an edge for what flows, dashed along skips.
pub fn dot(model: &Model) -> String {
    let mut graph = Graph {
        out: String::new(),
        nodes: 0,
    };
    let _ = writeln!(graph.out, "digraph \"{}\" {{", model.name);
    graph
        .out
        .push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    graph
        .out
        .push_str("  edge [fontname=\"sans-serif\", fontsize=10];\n");
    let input = graph.node("input", &model.input.to_string());
    let last = graph.layers(&model.layers, input);
    let output = graph.node("output", &model.output.to_string());
    graph.edge(last, output, "");
    graph.out.push_str("}\n");
    graph.out
}

struct Graph {
    out: String,
    nodes: usize,
}

impl Graph {
    fn node(&mut self, title: &str, text: &str) -> usize {
        let id = self.nodes;
        self.nodes += 1;
        let _ = writeln!(self.out, "  n{id} [label=\"{title}\\n{text}\"];");
        id
    }

    fn edge(&mut self, from: usize, to: usize, style: &str) {
        let _ = writeln!(self.out, "  n{from} -> n{to}{style};");
    }

    /// Adds the layers after node `from`; the node that ends them.
    fn layers(&mut self, layers: &[Layer], from: usize) -> usize {
        layers
            .iter()
            .fold(from, |from, layer| self.layer(layer, from))
    }

    fn layer(&mut self, layer: &Layer, from: usize) -> usize {
        let body = self.layers(layer.op.body(), from);
        let text = format!("{}\\n{}", layer_words(layer), layer.output);
        let node = self.node(&layer.path, &text);
        self.edge(body, node, "");
        if let Some(label) = layer.op.operation().by_pass() {
            self.edge(from, node, &format!(" [style=dashed, label=\"{label}\"]"));
        }
        node
    }
}
