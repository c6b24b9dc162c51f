use super::*;
use crate::ir::expr::Variable;
use crate::ir::{
    BatchNorm, Coefficient, Constraint, Conv, ConvGate, Gate, GateSpec, Layer, Linear, Op, Policy,
    Shape, Shortcut, Skip, Train,
};
use crate::span::Span;

fn layer(path: &str, input: Shape, output: Shape, op: Op) -> Layer {
    Layer {
        path: path.to_string(),
        span: Span::default(),
        input,
        output,
        op,
    }
}

fn conv(path: &str, input: Shape, out: usize, dirac: bool) -> Layer {
    let conv = Conv {
        out,
        kernel: 3,
        stride: 1,
        padding: 1,
        bias: true,
        dirac,
    };
    layer(path, input, input.with_channels(out), Op::Conv(conv))
}

fn skip(path: &str, shape: Shape, policy: Policy, gates: Vec<Gate>) -> Layer {
    let coefficients = policy.trained.iter().map(|_| vec![shape.channels()]);
    let skip = Skip {
        coefficients: coefficients.collect(),
        policy,
        shortcut: Shortcut::Identity,
        gates,
        body: Vec::new(),
    };
    layer(path, shape, shape, Op::Skip(skip))
}

fn variable(path: &str, shape: Shape, enforced: bool) -> Layer {
    let policy = Policy {
        trained: vec![Coefficient::alpha(enforced)],
        ..Policy::new("variable", Variable::Body.into())
    };
    skip(path, shape, policy, Vec::new())
}

/// Makes a model that is large enough for its weights' moments to be close to the
/// distribution's.
fn model(init: Init) -> Model {
    let image = Shape::image(16, 4, 4);
    let wide = image.with_channels(64);
    let gate = Gate::Conv(ConvGate {
        kernel: 3,
        stride: 1,
        padding: 1,
    });
    let linear = Linear {
        out: 10,
        bias: true,
        dirac: false,
    };
    let norm = Op::BatchNorm(BatchNorm {
        momentum: 0.1,
        eps: 1e-5,
    });
    let highway = Policy {
        gates: vec![GateSpec {
            name: "gate".into(),
            bias: -1.5,
        }],
        ..Policy::new("highway", Variable::Body.into())
    };
    let logits = Shape::Flat(10);
    Model {
        name: "m".to_string(),
        params: Vec::new(),
        doc: None,
        input: image,
        layers: vec![
            conv("conv0", image, 64, false),
            layer("norm", wide, wide, norm),
            conv("conv1", wide, 16, true),
            skip("gated", image, highway, vec![gate]),
            variable("free", image, false),
            variable("bound", image, true),
            layer("fc", image, logits, Op::Linear(linear)),
        ],
        output: logits,
        train: Train {
            init,
            constraint: Constraint {
                lambda: -1.0,
                ..Constraint::default()
            },
            ..Train::default()
        },
        frozen: Vec::new(),
    }
}

fn tensor(init: Init, name: &str) -> Tensor {
    let all = initial(&model(init), 3);
    all.into_iter().find(|t| t.name == name).unwrap()
}

/// Computes mean, variance and largest magnitude.
fn moments(tensor: &Tensor) -> (f64, f64, f64) {
    let values = || tensor.data.iter().map(|&x| f64::from(x));
    let count = tensor.data.len() as f64;
    let mean = values().sum::<f64>() / count;
    let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    (
        mean,
        variance,
        values().fold(0.0, |m: f64, x| m.max(x.abs())),
    )
}

#[test]
fn names_and_shapes_are_the_models() {
    let model = model(Init::HeNormal);
    for (spec, tensor) in model.tensors().iter().zip(initial(&model, 0)) {
        assert_eq!((&spec.name, &spec.shape), (&tensor.name, &tensor.shape));
        assert_eq!(tensor.data.len(), spec.shape.iter().product::<usize>());
    }
}

#[test]
fn he_normal_has_the_variance_two_over_fan_in_and_one_for_a_gate() {
    for (name, gain) in [("conv0.weight", 2.0), ("gated.gate.weight", 1.0)] {
        let tensor = tensor(Init::HeNormal, name);
        let (mean, variance, largest) = moments(&tensor);
        let expected: f64 = gain / 144.0;
        let count = tensor.data.len() as f64;
        // Four standard errors of each.
        assert!(
            mean.abs() < 4.0 * (expected / count).sqrt(),
            "{name}: {mean}"
        );
        let error = (variance / expected - 1.0).abs();
        assert!(error < 4.0 * (2.0 / count).sqrt(), "{name}: {variance}");
        // Of thousands of normal deviates some are beyond 3 deviations, none beyond 6.
        assert!((3.0..6.0).contains(&(largest / expected.sqrt())));
    }
}

#[test]
fn glorot_uniform_fills_its_interval() {
    // conv0: fan-in 16·9, fan-out 64·9; fc: 256 and 10.
    for (name, fans) in [("conv0.weight", 720.0), ("fc.weight", 266.0)] {
        let limit = (6.0_f64 / fans).sqrt();
        let (mean, variance, largest) = moments(&tensor(Init::GlorotUniform, name));
        assert!(mean.abs() < 0.05 * limit);
        assert!((variance / (limit * limit / 3.0) - 1.0).abs() < 0.06);
        assert!(largest <= limit && largest > 0.99 * limit);
    }
}

#[test]
fn orthogonal_weights_are_orthonormal_along_the_shorter_side() {
    let wide = tensor(Init::Orthogonal, "conv0.weight");
    let rows: Vec<&[f32]> = wide.data.chunks(144).collect();
    for (i, a) in rows.iter().enumerate() {
        for (j, b) in rows.iter().enumerate() {
            let product: f32 = a.iter().zip(*b).map(|(a, b)| a * b).sum();
            assert!((product - f32::from(i == j)).abs() < 1e-5);
        }
    }
    let mut random = stream(Purpose::Initial, 0, "tall", 0);
    let tall = orthogonal(9, 4, &mut random);
    for i in 0..4 {
        for j in 0..4 {
            let product: f32 = (0..9).map(|r| tall[r * 4 + i] * tall[r * 4 + j]).sum();
            assert!((product - f32::from(i == j)).abs() < 1e-5);
        }
    }
}

#[test]
fn everything_else_starts_where_it_should() {
    let all = |name: &str| {
        let data = tensor(Init::HeNormal, name).data;
        assert!(data.iter().all(|x| *x == data[0]), "{name}");
        data[0]
    };
    for (name, value) in [
        ("conv0.bias", 0.0),
        ("norm.weight", 1.0),
        ("norm.bias", 0.0),
        ("norm.running_mean", 0.0),
        ("norm.running_var", 1.0),
        ("conv1.dirac_a", 1.0),
        ("conv1.dirac_b", 0.1),
        ("gated.gate.bias", -1.5),
        ("free.alpha", 0.0),
        ("free.lambda", 0.0),
        ("bound.alpha", 0.0),
        ("bound.lambda", -1.0),
        ("fc.bias", 0.0),
    ] {
        assert_eq!(all(name), value, "{name}");
    }
}

#[test]
fn a_tensor_depends_on_its_name_and_the_seed_alone() {
    let mut model = model(Init::HeNormal);
    let before = initial(&model, 3);
    assert_eq!(before, initial(&model, 3));
    assert_ne!(before, initial(&model, 4));
    assert_ne!(before[0].data[..9], before[8].data[..9]);
    model.layers.remove(1);
    let names = |t: &Tensor| !t.name.starts_with("norm.");
    let without: Vec<_> = before.into_iter().filter(names).collect();
    assert_eq!(initial(&model, 3), without);
}
