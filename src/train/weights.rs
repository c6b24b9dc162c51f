//! Starting weights from a safetensors file: another run's, or PyTorch's.

mod names;

use self::names::Names;
use super::checkpoint::{check_values, trained_on};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use crate::flags::WeightsMatch;
use crate::foreign;
use crate::ir::{Model, Role, TensorSpec};
use crate::tensor::Tensor;
use crate::text::{counted, listed};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::Path;

/// Mistakes told of each kind before the rest is only counted.
const TOLD: usize = 3;

/// Tensors listed where only some start from a file, before the rest is only counted.
const LISTED: usize = 24;

/// A file of weights, and how it is read.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Path of the file.
    pub path: &'a Path,
    /// Tensors that must fit.
    pub matching: WeightsMatch,
    /// File that says how its tensors are called in the network.
    pub names: Option<&'a Path>,
}

/// Tensors of a file beside those of a network.
#[derive(Default)]
struct Comparison {
    /// Tensors that start from the file.
    taken: Vec<String>,
    /// Tensors that would, and are not in the file.
    missing: Vec<String>,
    /// Tensors that are in the file otherwise, each with how.
    unfit: Vec<String>,
    /// Tensors of the file that the network has not.
    unknown: Vec<String>,
}

impl File<'_> {
    /// Puts the tensors of the file in place of `initial`'s (all tensors of `model`, in its
    /// order), and says what is worth to be known of it. α, λ and running statistics may be
    /// missing and keep their initial values; the momentum in a checkpoint of vanc and PyTorch's
    /// counts of batches are left out. 16- and 64-bit floats are converted. `classes` are the
    /// names of those that the network is to be trained on.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, or does not fit the network.
    pub fn load(
        &self,
        model: &Model,
        classes: &[String],
        initial: &mut [Tensor],
    ) -> Result<Vec<String>> {
        let file = files::read(self.path).map_err(|e| {
            Error::io("read", self.path, e).help("--weights takes the path of a safetensors file")
        })?;
        let views =
            SafeTensors::deserialize(&file).map_err(|e| match foreign::recognize(&file) {
                Some(foreign) => foreign.in_place_of("a safetensors file", self.path),
                None => self.mistake(format!("no safetensors file, or a damaged one ({e})")),
            })?;
        let specs = model.tensors();
        let names = Names::new(&views, &specs, self.names)?;
        let found = self.compare(&specs, &views, &names, initial)?;
        let mut notes: Vec<String> = names.note().into_iter().collect();
        match self.matching {
            WeightsMatch::Fitting if !found.taken.is_empty() => notes.extend(found.notes()),
            WeightsMatch::Fitting | WeightsMatch::All => self.refuse(&found, model)?,
        }
        if let Some(what) = trained_on(&file).and_then(|data| data.other_classes(classes)) {
            notes.push(format!(
                "this data is not what they were trained on: {what}; outputs keep their positions"
            ));
        }
        let begin = format!("--weights {}: ", self.path.shown());
        Ok(notes
            .into_iter()
            .map(|note| format!("{begin}{note}"))
            .collect())
    }

    /// Fills those of `initial` that fit.
    fn compare(
        &self,
        specs: &[TensorSpec],
        views: &SafeTensors,
        names: &Names,
        initial: &mut [Tensor],
    ) -> Result<Comparison> {
        let mut found = Comparison {
            unknown: names.unknown(specs),
            ..Comparison::default()
        };
        for (spec, tensor) in specs.iter().zip(initial) {
            let view = names
                .of(&spec.name)
                .and_then(|name| views.tensor(name).ok());
            let Some(view) = view else {
                if is_needed(spec) {
                    found.missing.push(spec.name.clone());
                }
                continue;
            };
            match fill(tensor, &view) {
                Ok(()) => {
                    check_values(std::slice::from_ref(tensor)).map_err(|e| Error {
                        message: self.mistake(e.message).message,
                        ..e
                    })?;
                    found.taken.push(spec.name.clone());
                }
                Err(what) => found.unfit.push(format!("{}: {what}", spec.name)),
            }
        }
        Ok(found)
    }

    /// Refuses what does not fit, all at once.
    fn refuse(&self, found: &Comparison, model: &Model) -> Result<()> {
        let kinds = [
            ("missing", &found.missing),
            ("not in the network", &found.unknown),
            ("of the wrong kind", &found.unfit),
        ];
        let kinds = kinds.into_iter().filter(|(_, names)| !names.is_empty());
        let mistakes: Vec<String> = kinds.map(|(what, names)| told(what, names, TOLD)).collect();
        if mistakes.is_empty() {
            return Ok(());
        }
        let fitting = match found.taken.is_empty() {
            true => "",
            false => "\n--weights-match fitting takes what fits, and starts the rest as usual",
        };
        Err(self
            .mistake(format!("the weights do not fit {}", model.name))
            .help(format!(
                "{}\n`vanc describe FILE --format json` lists the names and shapes that {} has{fitting}",
                mistakes.join("\n"),
                model.name
            )))
    }

    fn mistake(&self, what: String) -> Error {
        Error::new(format!("--weights {}: {what}", self.path.shown()))
    }
}

impl Comparison {
    /// Lists what starts from the file, what does not, and what of the file is not used.
    fn notes(&self) -> Vec<String> {
        let unfit = self.unfit.iter().cloned();
        let usual: Vec<String> = self.missing.iter().cloned().chain(unfit).collect();
        let lists = [
            ("from the file", &self.taken),
            ("started as usual", &usual),
            ("of the file not in the network", &self.unknown),
        ];
        let lists = lists.into_iter().filter(|(_, names)| !names.is_empty());
        lists
            .map(|(what, names)| told(what, names, LISTED))
            .collect()
    }
}

/// Counts `names` and writes the first of them.
fn told(what: &str, names: &[String], most: usize) -> String {
    format!(
        "{} {what}: {}",
        counted(names.len(), "tensor"),
        listed(names, most)
    )
}

/// Whether a tensor has no initial value that would do as well.
fn is_needed(spec: &TensorSpec) -> bool {
    match spec.role {
        Role::Weight | Role::Bias | Role::Coefficient | Role::DiracA | Role::DiracB => true,
        Role::Alpha | Role::Multiplier | Role::RunningMean | Role::RunningVar => false,
    }
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
