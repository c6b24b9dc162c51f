//! Test that five steps of every policy give the losses that PyTorch gives.
//!
//! `torch/losses.json` holds PyTorch's figures; `torch/reference.py` made them and can
//! compare anew, tensor by tensor, where PyTorch is installed. Images and starting
//! weights come from the formula that `torch/inputs.py` has too.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use vanc::check::{self, Override, OverrideTarget};
use vanc::diag::Sources;
use vanc::ir::{Role, TensorSpec};

/// Largest relative difference of a loss, and absolute one of α and λ. vanc promises 1e-3; in
/// no case is a value so near to a jump of the gradient that rounding could carry it over, so
/// that only rounding remains, under 2e-6.
const TOLERANCE: f64 = 1e-5;
const SEED: u64 = 28;
const TRAIN: usize = 20;
const TEST: usize = 12;

/// Results of PyTorch in one case.
#[derive(Deserialize)]
struct Figures {
    name: String,
    file: String,
    flags: BTreeMap<String, String>,
    /// Loss of each step's batch, before its update.
    losses: Vec<f64>,
    /// Loss over the test split, after the last step.
    test_loss: f64,
    /// First elements of α after the last step, by the path of the skip.
    alpha: BTreeMap<String, Vec<f64>>,
    lambda: BTreeMap<String, Vec<f64>>,
}

#[test]
fn a_small_cnn_trains_as_in_pytorch() {
    compare("cnn.van", 18);
}

#[test]
fn a_small_mlp_trains_as_in_pytorch() {
    compare("mlp.van", 17);
}

fn compare(file: &str, count: usize) {
    let text = std::fs::read_to_string(here("losses.json")).unwrap();
    let mut cases: Vec<Figures> = serde_json::from_str(&text).unwrap();
    cases.retain(|case| case.file == file);
    assert_eq!(cases.len(), count);
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    match file {
        "cnn.van" => write_cifar10(&data),
        _ => write_mnist(&data),
    }
    let mut far = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let run = dir.path().join(format!("run{index}"));
        let weights = dir.path().join("weights.safetensors");
        write_weights(&weights, case);
        train(case, &data, &weights, &run);
        far.extend(differences(case, &run));
    }
    assert!(far.is_empty(), "not as in PyTorch:\n{}", far.join("\n"));
}

fn here(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join("torch").join(name)
}

fn train(case: &Figures, data: &Path, weights: &Path, run: &Path) {
    let flags = case.flags.iter();
    let output = Command::new(env!("CARGO_BIN_EXE_vanc"))
        .arg("train")
        .arg(here(&case.file))
        .args(flags.map(|(name, value)| format!("--{name}={value}")))
        .args(["--order", "sequential", "--augment", "off", "--quiet"])
        .args(["--max-steps", "5", "--log-every", "1"])
        .arg("--data-dir")
        .arg(data)
        .arg("--weights")
        .arg(weights)
        .arg("--out")
        .arg(run)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", case.name);
}

/// Lists the differences between a run folder and `case`.
fn differences(case: &Figures, run: &Path) -> Vec<String> {
    #[derive(Deserialize)]
    struct Line {
        split: String,
        loss: f64,
    }
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines: Vec<Line> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (steps, tests): (Vec<&Line>, Vec<&Line>) =
        lines.iter().partition(|line| line.split == "train");
    let mut found: Vec<f64> = steps.iter().map(|line| line.loss).collect();
    found.extend(tests.last().map(|line| line.loss));
    let mut wanted = case.losses.clone();
    wanted.push(case.test_loss);
    let mut out = Vec::new();
    if !are_near(&found, &wanted, |wanted| wanted) {
        let name = &case.name;
        out.push(format!(
            "{name}: losses, the test's last: {found:?}, PyTorch {wanted:?}"
        ));
    }
    let kinds = [
        ("alpha", &case.alpha, "last.safetensors"),
        ("lambda", &case.lambda, "last.state.safetensors"),
    ];
    for (kind, values, file) in kinds {
        let file = std::fs::read(run.join("checkpoints").join(file)).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        for (skip, wanted) in values {
            let name = format!("{skip}.{kind}");
            let found = first(&tensors.tensor(&name).unwrap(), wanted.len());
            if !are_near(&found, wanted, |_| 1.0) {
                let case = &case.name;
                out.push(format!("{case}: {name}: {found:?}, PyTorch {wanted:?}"));
            }
        }
    }
    out
}

/// Whether both have as many values, each within [`TOLERANCE`] times the scale of its
/// partner.
fn are_near(found: &[f64], wanted: &[f64], scale: impl Fn(f64) -> f64) -> bool {
    let mut pairs = found.iter().zip(wanted);
    found.len() == wanted.len() && pairs.all(|(a, &b)| (a - b).abs() <= TOLERANCE * scale(b))
}

fn first(tensor: &TensorView, count: usize) -> Vec<f64> {
    assert_eq!(tensor.dtype(), Dtype::F32);
    let (words, _) = tensor.data().as_chunks::<4>();
    let values = words
        .iter()
        .map(|&word| f64::from(f32::from_le_bytes(word)));
    values.take(count).collect()
}

/// Generates endless 64-bit numbers: SplitMix64 from the FNV-1a hash of seed and name.
fn stream(name: &str) -> impl Iterator<Item = u64> {
    let text = format!("{SEED} {name}");
    let mut state = text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    std::iter::from_fn(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some(z ^ (z >> 31))
    })
}

/// Makes images with their labels: noise, brighter for higher labels and channels.
fn images(name: &str, count: usize, channels: usize, side: usize) -> Vec<(u8, Vec<u8>)> {
    let mut numbers = stream(name);
    let mut next = || numbers.next().unwrap();
    let mut image = || {
        let label = next() % 10;
        let mut pixels = Vec::with_capacity(channels * side * side);
        for channel in 0..channels as u64 {
            for _ in 0..side * side {
                let noise = next() >> 56;
                pixels.push(((noise * (96 + 32 * channel)) >> 8) as u8 + 8 * label as u8);
            }
        }
        (label as u8, pixels)
    };
    (0..count).map(|_| image()).collect()
}

fn write_cifar10(dir: &Path) {
    for (name, count) in [("data_batch_1.bin", TRAIN), ("test_batch.bin", TEST)] {
        let records = images(name, count, 3, 32).into_iter();
        let bytes: Vec<u8> = records
            .flat_map(|(label, pixels)| std::iter::once(label).chain(pixels))
            .collect();
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

fn write_mnist(dir: &Path) {
    let idx = |name: &str, kind: u8, dims: &[u32], elements: &[u8]| {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        bytes.extend(elements);
        let path = dir.join(format!("{name}-idx{kind}-ubyte"));
        std::fs::write(path, bytes).unwrap();
    };
    for (name, count) in [("train", TRAIN), ("t10k", TEST)] {
        let (labels, pixels): (Vec<u8>, Vec<Vec<u8>>) =
            images(name, count, 1, 28).into_iter().unzip();
        idx(&format!("{name}-labels"), 1, &[count as u32], &labels);
        let dims = [count as u32, 28, 28];
        idx(&format!("{name}-images"), 3, &dims, &pixels.concat());
    }
}

/// Writes every tensor of the network of `case`, except for λ and running statistics, which
/// start as training starts them.
fn write_weights(path: &Path, case: &Figures) {
    let starts = |spec: &TensorSpec| match spec.role {
        Role::Weight
        | Role::Bias
        | Role::Alpha
        | Role::Coefficient
        | Role::DiracA
        | Role::DiracB => true,
        Role::Multiplier | Role::RunningMean | Role::RunningVar => false,
    };
    let tensors: Vec<(TensorSpec, Vec<u8>)> = specs(case)
        .into_iter()
        .filter(starts)
        .map(|spec| {
            let (middle, width) = starting_range(&spec);
            let shares = stream(&spec.name).map(|bits| (bits >> 40) as f64 / f64::from(1 << 24));
            let values = shares.map(|share| (middle + width * (2.0 * share - 1.0)) as f32);
            let count = spec.shape.iter().product();
            let bytes = values.take(count).flat_map(f32::to_le_bytes).collect();
            (spec, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(spec, bytes)| {
        let view = TensorView::new(Dtype::F32, spec.shape.clone(), bytes).unwrap();
        (&spec.name, view)
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// Lists the tensors of a case's network.
fn specs(case: &Figures) -> Vec<TensorSpec> {
    let text = std::fs::read_to_string(here(&case.file)).unwrap();
    let overrides: Vec<Override> = case
        .flags
        .iter()
        .map(|(name, value)| Override {
            target: match name.as_str() {
                "policy" => OverrideTarget::Param,
                _ => OverrideTarget::Setting,
            },
            name: name.clone(),
            value: value.clone(),
        })
        .collect();
    let mut sources = Sources::new(case.file.clone(), text);
    let model = check::check(&mut sources, &overrides, true).unwrap();
    model.tensors()
}

/// Middle and half-width of the uniform distribution that a tensor starts from.
fn starting_range(spec: &TensorSpec) -> (f64, f64) {
    let elements: usize = spec.shape.iter().product();
    match spec.role {
        Role::Alpha | Role::Coefficient => (0.4, 0.4),
        Role::DiracA => (1.0, 0.2),
        Role::DiracB => (0.5, 0.2),
        Role::Weight if spec.shape.len() > 1 => {
            let per_output = elements as f64 / spec.shape[0] as f64;
            (0.0, (6.0 / per_output).sqrt())
        }
        Role::Weight => (1.0, 0.3),
        Role::Bias if spec.name.ends_with("gate.bias") => (-2.0, 0.5),
        Role::Bias => (0.0, 0.2),
        Role::Multiplier | Role::RunningMean | Role::RunningVar => (0.0, 0.0),
    }
}
