//! What a layer does, in a few words.

use crate::ir::{Form, Gate, Layer, Op, Policy, Pool, Shape, Shortcut, Skip};

/// `conv 3×3, 64→128, stride 2`; what is not said has its default.
pub fn layer_words(layer: &Layer) -> String {
    let (cin, cout) = (layer.input.channels(), layer.output.channels());
    let words = match &layer.op {
        Op::Conv(conv) => {
            let mut words = vec![format!("conv {0}×{0}, {cin}→{cout}", conv.kernel)];
            words.extend(stride(conv.stride));
            let same = conv.kernel % 2 == 1 && conv.padding == conv.kernel / 2;
            words.extend((!same).then(|| format!("padding {}", conv.padding)));
            words.extend(conv.bias.then(|| "bias".to_string()));
            words.extend(conv.dirac.then(|| "dirac".to_string()));
            words
        }
        Op::Linear(linear) => {
            let mut words = vec![format!("linear {}→{cout}", layer.input.elements())];
            words.extend((!linear.bias).then(|| "no bias".to_string()));
            words.extend(linear.dirac.then(|| "dirac".to_string()));
            words
        }
        Op::BatchNorm { momentum, eps } => {
            let mut words = vec!["batch_norm".to_string()];
            words.extend((*momentum != 0.1).then(|| format!("momentum {momentum}")));
            words.extend((*eps != 1e-5).then(|| format!("eps {eps}")));
            words
        }
        Op::Elu { alpha: 1.0 } => vec!["elu".to_string()],
        Op::Elu { alpha } => vec![format!("elu, alpha {alpha}")],
        Op::LeakyRelu { slope: 0.01 } => vec!["leaky_relu".to_string()],
        Op::LeakyRelu { slope } => vec![format!("leaky_relu, slope {slope}")],
        Op::MaxPool(pool) => pool_words("max_pool", pool),
        Op::AvgPool(pool) => pool_words("avg_pool", pool),
        Op::Dropout { p } => vec![format!("dropout {p}")],
        Op::Concat { .. } => vec![format!("concat, {cin} + {}", cout - cin)],
        Op::Skip(skip) => skip_words(skip, layer.input),
        Op::Relu | Op::Crelu | Op::Tanh | Op::Sigmoid | Op::GlobalAvgPool | Op::Flatten => {
            vec![layer.op.keyword().to_string()]
        }
    };
    words.join(", ")
}

fn stride(stride: usize) -> Option<String> {
    (stride != 1).then(|| format!("stride {stride}"))
}

fn pool_words(name: &str, pool: &Pool) -> Vec<String> {
    let mut words = vec![format!("{name} {0}×{0}", pool.kernel)];
    if pool.stride != pool.kernel {
        words.push(format!("stride {}", pool.stride));
    }
    words
}

fn skip_words(skip: &Skip, input: Shape) -> Vec<String> {
    let mut words = vec![match &skip.policy {
        Policy::Plain => "skip plain".to_string(),
        Policy::Resnet { scale: 1.0 } => "skip resnet".to_string(),
        Policy::Resnet { scale } => format!("skip resnet, scale {scale}"),
        Policy::Highway { bias, .. } => format!("skip highway, bias {bias}"),
        Policy::Dirac => "skip dirac".to_string(),
        Policy::Variable { form, enforced, .. } => {
            let form = match form {
                Form::Additive => "",
                Form::Convex => ", convex",
            };
            let held = if *enforced { "" } else { ", λ = 0" };
            format!("skip variable{form}{held}")
        }
    }];
    if let Policy::Highway { gate, .. } = &skip.policy {
        words.push(match gate {
            Gate::Conv(gate) => format!("gate {0}×{0}", gate.kernel),
            Gate::Linear => "gate linear".to_string(),
        });
    }
    let (kind, step) = match (&skip.shortcut, input) {
        (Shortcut::Identity, _) => return words,
        (Shortcut::Conv1x1 { stride }, Shape::Image { .. }) => ("project 1×1", *stride),
        (Shortcut::Conv1x1 { stride }, Shape::Flat(_)) => ("project linear", *stride),
        (Shortcut::Pad { stride }, _) => ("pad", *stride),
    };
    words.push(kind.to_string());
    words.extend(stride(step));
    words
}
