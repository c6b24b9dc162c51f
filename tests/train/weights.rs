//! Tests of starting weights from files.

use safetensors::tensor::{Dtype, TensorView};
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};
use vanc::error::Result;
use vanc::flags::WeightsMatch;
use vanc::ir::expr::Variable;
use vanc::ir::{
    BatchNorm, Coefficient, Layer, Linear, Model, Op, Policy, Shape, Shortcut, Skip, Train,
};
use vanc::span::Span;
use vanc::tensor::Tensor;
use vanc::train::weights;

/// Checks `skip variable { fc: linear(2, bias: true) ; norm: batch_norm }` over 1×1×2 images.
fn model() -> Model {
    let flat = Shape::Flat(2);
    let layer = |path: &str, op: Op| Layer {
        path: path.into(),
        span: Span::default(),
        input: flat,
        output: flat,
        op,
    };
    let linear = Linear {
        out: 2,
        bias: true,
        dirac: false,
    };
    let skip = Skip {
        policy: Policy {
            trained: vec![Coefficient::alpha(true)],
            ..Policy::new("variable", Variable::Body.into())
        },
        shortcut: Shortcut::Identity,
        gates: Vec::new(),
        coefficients: vec![vec![2]],
        body: vec![
            layer("skip0.fc", Op::Linear(linear)),
            layer(
                "skip0.norm",
                Op::BatchNorm(BatchNorm {
                    momentum: 0.1,
                    eps: 1e-5,
                }),
            ),
        ],
    };
    Model {
        name: "m".into(),
        params: Vec::new(),
        doc: None,
        input: Shape::image(1, 1, 2),
        layers: vec![layer("skip0", Op::Skip(skip))],
        output: flat,
        train: Train::default(),
        frozen: Vec::new(),
    }
}

fn initial() -> Vec<Tensor> {
    let specs = model().tensors();
    specs
        .iter()
        .map(|spec| Tensor::full(&spec.name, &spec.shape, 9.0))
        .collect()
}

/// Writes a file of (name, kind, shape, bytes).
fn file(tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (*name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    (dir, path)
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn needed() -> Vec<(&'static str, Dtype, Vec<usize>, Vec<u8>)> {
    vec![
        (
            "skip0.fc.weight",
            Dtype::F32,
            vec![2, 2],
            f32s(&[1., 2., 3., 4.]),
        ),
        ("skip0.fc.bias", Dtype::F32, vec![2], f32s(&[5., 6.])),
        ("skip0.norm.weight", Dtype::F32, vec![2], f32s(&[1., 1.])),
        ("skip0.norm.bias", Dtype::F32, vec![2], f32s(&[0., 0.])),
    ]
}

/// The file at `path`, all of whose tensors must fit.
fn whole(path: &Path) -> weights::File<'_> {
    weights::File {
        path,
        matching: WeightsMatch::All,
        names: None,
    }
}

fn load(tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) -> Result<Vec<Tensor>> {
    let (_dir, path) = file(tensors);
    let mut out = initial();
    whole(&path).load(&model(), &[], &mut out)?;
    Ok(out)
}

fn data<'a>(tensors: &'a [Tensor], name: &str) -> &'a [f32] {
    &tensors.iter().find(|t| t.name == name).unwrap().data
}

#[test]
fn state_that_is_no_weight_may_be_missing() {
    let mut tensors = needed();
    // What a checkpoint and a PyTorch state add.
    tensors.push(("momentum/skip0.fc.weight", Dtype::F32, vec![1], f32s(&[0.])));
    tensors.push(("gradient_sum/steps", Dtype::F32, vec![1], f32s(&[0.])));
    tensors.push((
        "skip0.norm.num_batches_tracked",
        Dtype::I64,
        vec![],
        vec![0; 8],
    ));
    let loaded = load(&tensors).unwrap();
    assert_eq!(data(&loaded, "skip0.fc.weight"), [1., 2., 3., 4.]);
    assert_eq!(data(&loaded, "skip0.fc.bias"), [5., 6.]);
    for kept in ["skip0.alpha", "skip0.lambda", "skip0.norm.running_var"] {
        assert_eq!(data(&loaded, kept), [9., 9.], "{kept}");
    }
    tensors.push(("skip0.alpha", Dtype::F32, vec![2], f32s(&[0.25, 0.5])));
    assert_eq!(data(&load(&tensors).unwrap(), "skip0.alpha"), [0.25, 0.5]);
}

#[test]
fn other_floats_are_converted() {
    let values = [1.5f32, -0.375];
    let bytes = |dtype: Dtype| -> Vec<u8> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the list below has no other"
        )]
        let encode = |x: f32| match dtype {
            Dtype::F64 => f64::from(x).to_le_bytes().to_vec(),
            Dtype::F16 => half::f16::from_f32(x).to_le_bytes().to_vec(),
            _ => half::bf16::from_f32(x).to_le_bytes().to_vec(),
        };
        values.iter().flat_map(|&x| encode(x)).collect()
    };
    for dtype in [Dtype::F64, Dtype::F16, Dtype::BF16] {
        let mut tensors = needed();
        tensors[1] = ("skip0.fc.bias", dtype, vec![2], bytes(dtype));
        assert_eq!(data(&load(&tensors).unwrap(), "skip0.fc.bias"), values);
    }
    let mut tensors = needed();
    tensors[1] = ("skip0.fc.bias", Dtype::I32, vec![2], vec![0; 8]);
    let help = load(&tensors).unwrap_err().help.unwrap();
    assert!(
        help.contains("skip0.fc.bias: its elements are I32"),
        "{help}"
    );
}

#[test]
fn every_mistake_is_told_at_once() {
    let mut tensors = needed();
    tensors.remove(3);
    tensors[0].2 = vec![4, 1];
    let extra: Vec<String> = (0..5).map(|i| format!("other{i}.weight")).collect();
    for name in &extra {
        tensors.push((name, Dtype::F32, vec![1], f32s(&[0.])));
    }
    let error = load(&tensors).unwrap_err();
    assert!(error.message.contains("w.safetensors"), "{error}");
    let help = error.help.unwrap();
    for part in [
        "1 tensor missing: skip0.norm.bias",
        "5 tensors not in the network: other0.weight, other1.weight, other2.weight and 2 more",
        "skip0.fc.weight: it is [4, 1] in the file, [2, 2] in the network",
    ] {
        assert!(help.contains(part), "{help}");
    }
}

#[test]
fn a_file_that_is_none_is_an_error() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let error = whole(&path)
        .load(&model(), &[], &mut initial())
        .unwrap_err();
    assert!(error.message.contains("cannot read"), "{error}");
    for (bytes, what) in [
        (&b"not one"[..], "no safetensors file"),
        (
            b"PK\x03\x04 not one",
            "is a zip archive, not a safetensors file",
        ),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = whole(&path)
            .load(&model(), &[], &mut initial())
            .unwrap_err();
        assert!(error.message.contains(what), "{error}");
    }
}

#[test]
fn what_fits_is_taken_and_both_lists_are_told() {
    let mut tensors = needed();
    tensors.remove(3);
    tensors[0].2 = vec![4, 1];
    tensors.push(("other.weight", Dtype::F32, vec![1], f32s(&[0.])));
    let (_dir, path) = file(&tensors);
    let fitting = weights::File {
        matching: WeightsMatch::Fitting,
        ..whole(&path)
    };
    let mut out = initial();
    let notes = fitting.load(&model(), &[], &mut out).unwrap();
    assert_eq!(data(&out, "skip0.fc.bias"), [5., 6.]);
    assert_eq!(data(&out, "skip0.fc.weight"), [9.; 4]);
    let begin = format!("--weights {}: ", path.display());
    let notes: Vec<&str> = notes
        .iter()
        .map(|n| n.strip_prefix(&begin).unwrap())
        .collect();
    assert_eq!(
        notes,
        [
            "2 tensors from the file: skip0.fc.bias, skip0.norm.weight",
            "2 tensors started as usual: skip0.norm.bias, \
             skip0.fc.weight: it is [4, 1] in the file, [2, 2] in the network",
            "1 tensor of the file not in the network: other.weight",
        ]
    );
    // Nothing that fits is an error, and so is a number that is none.
    let (_dir, path) = file(&tensors[3..]);
    let fitting = |path| weights::File {
        matching: WeightsMatch::Fitting,
        ..whole(path)
    };
    let error = fitting(&path)
        .load(&model(), &[], &mut initial())
        .unwrap_err();
    assert!(error.message.contains("do not fit"), "{error}");
    let mut tensors = needed();
    tensors[1].3 = f32s(&[f32::NAN, 0.]);
    let (_dir, path) = file(&tensors);
    let error = fitting(&path)
        .load(&model(), &[], &mut initial())
        .unwrap_err();
    assert!(
        error
            .message
            .contains("skip0.fc.bias: element 0 of 2 is NaN"),
        "{error}"
    );
}

#[test]
fn beginnings_of_compiled_and_parallel_modules_are_left_out() {
    let names: Vec<String> = needed()
        .iter()
        .map(|t| format!("_orig_mod.module.{}", t.0))
        .collect();
    let mut tensors = needed();
    for (tensor, name) in tensors.iter_mut().zip(&names) {
        tensor.0 = Box::leak(name.clone().into_boxed_str());
    }
    let (_dir, path) = file(&tensors);
    let mut out = initial();
    let notes = whole(&path).load(&model(), &[], &mut out).unwrap();
    assert_eq!(data(&out, "skip0.fc.bias"), [5., 6.]);
    assert!(
        notes[0].contains("`_orig_mod.module.` is left out"),
        "{notes:?}"
    );
}

#[test]
fn names_of_others_are_mapped() {
    let mut tensors = needed();
    for (tensor, name) in tensors
        .iter_mut()
        .zip(["l.w", "l.bias", "bn.weight", "bn.bias"])
    {
        tensor.0 = name;
    }
    let (dir, path) = file(&tensors);
    let map = dir.path().join("map.json");
    let load = |text: &str| {
        std::fs::write(&map, text).unwrap();
        let mapped = weights::File {
            names: Some(&map),
            ..whole(&path)
        };
        let mut out = initial();
        mapped.load(&model(), &[], &mut out).map(|_| out)
    };
    let good = r#"{"l": "skip0.fc", "l.w": "skip0.fc.weight", "bn": "skip0.norm"}"#;
    let out = load(good).unwrap();
    assert_eq!(data(&out, "skip0.fc.weight"), [1., 2., 3., 4.]);
    assert_eq!(data(&out, "skip0.norm.weight"), [1., 1.]);
    for (text, what) in [
        ("[]", "map.json: invalid type"),
        ("{\"l\": 3}", "map.json: invalid type"),
        ("{\"gone\": \"skip0.fc\"}", "nothing called gone"),
        ("{\"l.w\": \"x\", \"l.bias\": \"x\"}", "both become x"),
    ] {
        let error = load(text).unwrap_err();
        assert!(error.message.contains(what), "{error}");
        assert!(error.help.is_some());
    }
}
