//! Starting weights from a safetensors file: another run's, or PyTorch's.

use super::checkpoint::check_finite;
use crate::engines::GRADIENT_SUM_PREFIX;
use crate::error::{Error, Result};
use crate::files;
use crate::foreign;
use crate::ir::{Model, Role, Slot, TensorSpec};
use crate::tensor::Tensor;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::Path;

/// Mistakes told of each kind before the rest is only counted.
const TOLD: usize = 3;

/// Puts the tensors of the file at `path` in place of `initial`'s (all tensors of
/// `model`, in its order). α, λ and running statistics may be missing and keep their
/// initial values; the momentum in a checkpoint of vanc and PyTorch's counts of batches
/// are left out. 16- and 64-bit floats are converted.
///
/// # Errors
/// Where the file cannot be read, is damaged, or does not fit the network.
pub fn load(path: &Path, model: &Model, initial: &mut [Tensor]) -> Result<()> {
    let file = files::read(path).map_err(|e| {
        Error::io("read", path, e).help("--weights takes the path of a safetensors file")
    })?;
    let mistake = |what: String| Error::new(format!("--weights {}: {what}", path.display()));
    let views = SafeTensors::deserialize(&file).map_err(|e| match foreign::recognize(&file) {
        Some(foreign) => foreign.in_place_of("a safetensors file", path),
        None => mistake(format!("no safetensors file, or a damaged one ({e})")),
    })?;
    let specs = model.tensors();
    let mut mistakes = Vec::new();
    told(&mut mistakes, "missing", missing(&specs, &views));
    told(&mut mistakes, "not in the network", unknown(&specs, &views));
    let mut unfit = Vec::new();
    for tensor in initial.iter_mut() {
        let Ok(view) = views.tensor(&tensor.name) else {
            continue;
        };
        match fill(tensor, &view) {
            Ok(()) => check_finite(std::slice::from_ref(tensor)).map_err(|e| Error {
                message: mistake(e.message).message,
                ..e
            })?,
            Err(what) => unfit.push(format!("{}: {what}", tensor.name)),
        }
    }
    told(&mut mistakes, "of the wrong kind", unfit);
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(
        mistake(format!("the weights do not fit {}", model.name)).help(format!(
            "{}\n`vanc describe FILE --format json` lists the names and shapes that {} has",
            mistakes.join("\n"),
            model.name
        )),
    )
}

fn told(mistakes: &mut Vec<String>, what: &str, names: Vec<String>) {
    if names.is_empty() {
        return;
    }
    let first = names[..names.len().min(TOLD)].join(", ");
    let more = match names.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let tensors = if names.len() == 1 {
        "tensor"
    } else {
        "tensors"
    };
    mistakes.push(format!("{} {tensors} {what}: {first}{more}", names.len()));
}

fn missing(specs: &[TensorSpec], views: &SafeTensors) -> Vec<String> {
    let needed = |spec: &&TensorSpec| match spec.role {
        Role::Weight | Role::Bias | Role::Coefficient | Role::DiracA | Role::DiracB => true,
        Role::Alpha | Role::Multiplier | Role::RunningMean | Role::RunningVar => false,
    };
    let absent = specs
        .iter()
        .filter(needed)
        .filter(|spec| views.tensor(&spec.name).is_err());
    absent.map(|spec| spec.name.clone()).collect()
}

fn unknown(specs: &[TensorSpec], views: &SafeTensors) -> Vec<String> {
    let known: std::collections::HashSet<&str> =
        specs.iter().map(|spec| spec.name.as_str()).collect();
    let passed_over = |name: &str| {
        Slot::split(name).is_some()
            || name.starts_with(GRADIENT_SUM_PREFIX)
            || name.ends_with(".num_batches_tracked")
    };
    let mut names: Vec<String> = views
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !known.contains(name) && !passed_over(name))
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names
}

/// Copies `view` into `tensor`.
fn fill(tensor: &mut Tensor, view: &TensorView) -> Result<(), String> {
    if view.shape() != tensor.shape {
        return Err(format!(
            "it is {:?} in the file, {:?} in the network",
            view.shape(),
            tensor.shape
        ));
    }
    let bytes = view.data();
    #[expect(clippy::wildcard_enum_match_arm, reason = "safetensors may add types")]
    let data = match view.dtype() {
        Dtype::F32 => convert(bytes, f32::from_le_bytes),
        Dtype::F64 => convert(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F16 => convert(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => convert(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        other => return Err(format!("its elements are {other}, not floats")),
    };
    tensor.data = data;
    Ok(())
}

fn convert<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<N>();
    words.iter().map(|word| read(*word)).collect()
}
