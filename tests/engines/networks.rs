//! Networks that the engine tests run over: every layer, every policy, odd sizes.

type Settings = &'static [(&'static str, &'static str)];

use crate::support::model;
use vanc::ir::Model;

/// A network in a line: its purpose, its input, its layers, the settings it needs.
pub struct Network {
    pub name: &'static str,
    pub input: &'static str,
    pub layers: &'static str,
    pub settings: Settings,
}

const fn image(name: &'static str, layers: &'static str) -> Network {
    Network {
        name,
        input: "3, 7, 5",
        layers,
        settings: &[],
    }
}

const fn flat(name: &'static str, layers: &'static str) -> Network {
    Network {
        name,
        input: "1, 1, 7",
        layers,
        settings: &[],
    }
}

const fn trained(settings: Settings, network: Network) -> Network {
    Network {
        settings,
        ..network
    }
}

const LAYER: Settings = &[("constraint", "lagrange(alpha_granularity: layer)")];
const UNIT: Settings = &[("constraint", "lagrange(alpha_granularity: unit)")];

pub const NETWORKS: &[Network] = &[
    Network {
        name: "conv 3 of a single pixel",
        input: "3, 1, 1",
        layers: "conv(13, kernel: 3, stride: 2, padding: 1) flatten linear(3)",
        settings: &[],
    },
    Network {
        name: "convs of a row",
        input: "2, 1, 6",
        layers: "conv(4, kernel: 3) tanh conv(3, kernel: 5, stride: 3) linear(3)",
        settings: &[],
    },
    Network {
        name: "skips over a column",
        input: "2, 5, 1",
        layers: "conv(4, kernel: 3) skip variable { conv(4, kernel: 3) batch_norm relu } linear(3)",
        settings: &[],
    },
    image("conv 3", "conv(4, kernel: 3) linear(5)"),
    image(
        "conv 3 with bias",
        "conv(4, kernel: 3, bias: true) linear(5)",
    ),
    image("conv 3 stride 2", "conv(4, kernel: 3, stride: 2) linear(5)"),
    image(
        "conv 5",
        "conv(2, kernel: 5) tanh conv(3, kernel: 5, stride: 3) linear(4)",
    ),
    image(
        "conv 1",
        "conv(4, kernel: 1) tanh conv(2, kernel: 1, stride: 2) linear(3)",
    ),
    image(
        "conv without padding",
        "conv(4, kernel: 3, padding: 0) linear(3)",
    ),
    image(
        "conv with more padding",
        "conv(2, kernel: 2, padding: 2, stride: 2) linear(3)",
    ),
    image(
        "linear on an image",
        "linear(6) tanh linear(4, bias: false)",
    ),
    image("flatten", "conv(2, kernel: 3) flatten batch_norm linear(4)"),
    image("image as logits", "conv(2, kernel: 3, stride: 4)"),
    image("batch norm", "conv(4, kernel: 3) batch_norm tanh linear(3)"),
    image(
        "batch norm of one column",
        "conv(2, kernel: 1) batch_norm(momentum: 0.3, eps: 0.01) linear(3)",
    ),
    flat(
        "batch norm on a vector",
        "linear(6) batch_norm relu linear(3)",
    ),
    image("relu", "conv(4, kernel: 3) relu linear(3)"),
    image("elu", "conv(4, kernel: 3) elu(alpha: 0.7) linear(3)"),
    image(
        "leaky relu",
        "conv(4, kernel: 3) leaky_relu(slope: 0.2) linear(3)",
    ),
    image("crelu", "conv(3, kernel: 3) crelu linear(3)"),
    flat("crelu on a vector", "linear(5) crelu linear(3)"),
    image(
        "tanh and sigmoid",
        "conv(3, kernel: 3) tanh conv(3, kernel: 3) sigmoid linear(3)",
    ),
    image(
        "max pool",
        "conv(3, kernel: 3) max_pool(kernel: 2, stride: 2) linear(3)",
    ),
    image(
        "overlapping max pool",
        "conv(3, kernel: 3) max_pool(kernel: 3, stride: 2) linear(3)",
    ),
    image(
        "avg pool",
        "conv(3, kernel: 3) avg_pool(kernel: 2, stride: 2) linear(3)",
    ),
    image(
        "overlapping avg pool",
        "conv(3, kernel: 3) avg_pool(kernel: 3, stride: 1) linear(3)",
    ),
    image(
        "global avg pool",
        "conv(4, kernel: 3) tanh global_avg_pool linear(3)",
    ),
    image(
        "dropout",
        "conv(4, kernel: 3) dropout(0.4) linear(6) dropout(0.2) linear(3)",
    ),
    image(
        "concat",
        "conv(2, kernel: 3) concat { conv(3, kernel: 3) tanh } concat { relu } linear(3)",
    ),
    image(
        "concat of nothing",
        "conv(2, kernel: 3) concat { } linear(3)",
    ),
    image(
        "concat of a skip",
        "conv(2, kernel: 3) concat { skip variable { conv(2, kernel: 3) tanh } } linear(3)",
    ),
    flat(
        "concat on a vector",
        "linear(4) concat { linear(3) tanh } linear(3)",
    ),
    image(
        "plain",
        "skip plain { conv(4, kernel: 3, stride: 2) batch_norm relu } linear(3)",
    ),
    image(
        "resnet",
        "conv(4, kernel: 3) skip resnet { conv(4, kernel: 3) tanh } linear(3)",
    ),
    image(
        "resnet of nothing",
        "conv(4, kernel: 3) skip resnet { } linear(3)",
    ),
    image(
        "scaled resnet",
        "conv(4, kernel: 3) skip resnet(scale: 0.5) { conv(4, kernel: 3) tanh } linear(3)",
    ),
    image(
        "resnet with projection",
        "skip resnet { conv(4, kernel: 3, stride: 2) tanh } linear(3)",
    ),
    image(
        "resnet with padding",
        "skip resnet project: pad { conv(5, kernel: 3, stride: 2) tanh } linear(3)",
    ),
    flat(
        "resnet on a vector",
        "linear(4) skip resnet { linear(4) tanh } skip resnet { linear(3) tanh } linear(3)",
    ),
    flat(
        "resnet on a vector with padding",
        "linear(4) skip resnet project: pad { linear(6) tanh } linear(3)",
    ),
    image(
        "highway",
        "conv(4, kernel: 3) skip highway(bias: -1) { conv(4, kernel: 3) tanh } linear(3)",
    ),
    image(
        "highway with projection",
        "skip highway { conv(4, kernel: 5, stride: 2) batch_norm relu } linear(3)",
    ),
    image(
        "highway with padding",
        "skip highway project: pad { conv(4, kernel: 3, stride: 2) tanh conv(4, kernel: 3) } linear(3)",
    ),
    image(
        "highway of nothing",
        "conv(4, kernel: 3) skip highway { } linear(3)",
    ),
    flat(
        "highway on a vector",
        "linear(4) skip highway { linear(4) tanh } skip highway { linear(5) tanh } linear(3)",
    ),
    image(
        "dirac",
        "skip dirac { conv(5, kernel: 3) batch_norm relu conv(2, kernel: 5, stride: 2, bias: true) } linear(3)",
    ),
    image(
        "dirac linear on an image",
        "skip dirac { linear(4) tanh linear(6, bias: false) } linear(3)",
    ),
    flat(
        "dirac on a vector",
        "linear(4) skip dirac { linear(4) relu } linear(3)",
    ),
    image(
        "variable",
        "conv(4, kernel: 3) skip variable { conv(4, kernel: 3) batch_norm relu } linear(3)",
    ),
    image(
        "variable of nothing",
        "conv(4, kernel: 3) skip variable { } linear(3)",
    ),
    image(
        "variable with projection",
        "skip variable { conv(4, kernel: 3, stride: 2) tanh } linear(3)",
    ),
    image(
        "variable with padding",
        "skip variable project: pad { conv(4, kernel: 3, stride: 3) tanh } linear(3)",
    ),
    trained(
        LAYER,
        image(
            "variable by layer",
            "skip variable { conv(4, kernel: 3, stride: 2) tanh } linear(3)",
        ),
    ),
    trained(
        UNIT,
        image(
            "variable by unit",
            "skip variable { conv(4, kernel: 3, stride: 2) tanh } linear(3)",
        ),
    ),
    image(
        "convex",
        "skip variable(form: convex) { conv(4, kernel: 3, stride: 2) tanh } linear(3)",
    ),
    trained(
        LAYER,
        image(
            "convex by layer",
            "conv(2, kernel: 3) skip variable(form: convex) { conv(2, kernel: 3) tanh } linear(3)",
        ),
    ),
    trained(
        UNIT,
        image(
            "convex by unit",
            "skip variable(form: convex) project: pad { conv(4, kernel: 3) tanh } linear(3)",
        ),
    ),
    image(
        "convex of nothing",
        "conv(4, kernel: 3) skip variable(form: convex) { } linear(3)",
    ),
    flat(
        "variable on a vector",
        "linear(4) skip variable { linear(4) tanh } skip variable { linear(3) tanh } linear(3)",
    ),
    trained(
        LAYER,
        flat(
            "variable by layer on a vector",
            "linear(4) skip variable { linear(4) tanh } linear(3)",
        ),
    ),
    trained(
        UNIT,
        flat(
            "variable by unit on a vector",
            "linear(4) skip variable(form: convex) { linear(4) tanh } linear(3)",
        ),
    ),
    image(
        "unenforced",
        "skip variable(lambda: 0) { conv(4, kernel: 3) batch_norm relu } linear(3)",
    ),
    image(
        "skips in skips",
        "conv(3, kernel: 3) skip variable { conv(3, kernel: 3) skip resnet { skip highway { conv(3, kernel: 3) tanh } } } linear(3)",
    ),
    image(
        "dirac in a skip",
        "conv(3, kernel: 3) skip variable { skip dirac { conv(3, kernel: 3) tanh } } linear(3)",
    ),
    Network {
        name: "one pixel",
        input: "2, 1, 1",
        layers: "conv(3, kernel: 3) batch_norm relu global_avg_pool linear(2)",
        settings: &[],
    },
];

impl Network {
    /// Checks the network to a model.
    pub fn model(&self) -> Model {
        model(self.input, self.layers, self.settings)
    }
}
