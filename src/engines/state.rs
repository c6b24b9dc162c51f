//! Sorting of the tensors of a checkpoint by what they are, with every name and shape
//! checked: the part of [`super::Engine::load`] that is the same for all engines.

use super::{GRADIENT_STEPS, GRADIENT_SUM_PREFIX};
use crate::error::{Error, Result};
use crate::ir::{Role, Slot, TensorSpec};
use crate::tensor::Tensor;
use std::collections::HashMap;

/// The tensors of a state, found and checked against the network's.
pub(crate) struct State<'a> {
    /// Tensors of the network, in the order of [`crate::ir::Model::tensors`].
    pub network: Vec<&'a Tensor>,
    /// Tensors that optimizers keep, by slot and by the name of what they move; some may
    /// be missing.
    slots: HashMap<(&'static str, &'a str), &'a Tensor>,
    /// Sums of ∂C/∂α, by the name of α; some may be missing.
    gradient_sums: HashMap<&'a str, &'a Tensor>,
    /// Steps that the sums cover.
    pub gradient_steps: u32,
}

impl<'a> State<'a> {
    /// Sorts `tensors`. A missing, unknown or repeated name and a wrong shape are errors.
    pub fn read(specs: &[TensorSpec], tensors: &'a [Tensor]) -> Result<Self> {
        let known: HashMap<&str, &TensorSpec> = specs
            .iter()
            .map(|spec| (spec.name.as_str(), spec))
            .collect();
        let mut found = HashMap::new();
        let mut slots = HashMap::new();
        let mut gradient_sums = HashMap::new();
        let mut gradient_steps = 0;
        for tensor in tensors {
            let name = tensor.name.as_str();
            if name == GRADIENT_STEPS {
                gradient_steps = read_steps(tensor)?;
                continue;
            }
            let slot = Slot::split(name);
            let sum = name.strip_prefix(GRADIENT_SUM_PREFIX);
            let (base, wanted): (_, fn(&TensorSpec) -> bool) = match (slot, sum) {
                (Some((_, base)), _) => (base, TensorSpec::is_optimized),
                (None, Some(base)) => (base, |spec| spec.role == Role::Alpha),
                (None, None) => (name, |_| true),
            };
            let spec = known.get(base).filter(|spec| wanted(spec));
            let spec = spec.ok_or_else(|| unknown(name))?;
            check_shape(spec, tensor)?;
            let before = match (slot, sum) {
                (Some((slot, _)), _) => slots.insert((slot.name, base), tensor),
                (None, Some(_)) => gradient_sums.insert(base, tensor),
                (None, None) => found.insert(base, tensor),
            };
            if before.is_some() {
                return Err(Error::new(format!("the tensor `{name}` is there twice")));
            }
        }
        let network = specs
            .iter()
            .map(|spec| found.get(spec.name.as_str()).copied().ok_or(spec))
            .collect::<Result<_, _>>()
            .map_err(missing)?;
        Ok(State {
            network,
            slots,
            gradient_sums,
            gradient_steps,
        })
    }

    /// Returns the tensor that a slot keeps for the one called `name`.
    pub fn slot(&self, slot: Slot, name: &str) -> Option<&'a Tensor> {
        self.slots.get(&(slot.name, name)).copied()
    }

    /// Returns the sum of ∂C/∂α of the α called `name`.
    pub fn gradient_sum(&self, name: &str) -> Option<&'a Tensor> {
        self.gradient_sums.get(name).copied()
    }
}

fn read_steps(tensor: &Tensor) -> Result<u32> {
    match tensor.data[..] {
        [steps] if steps >= 0.0 && steps.fract() == 0.0 && steps < 16_777_216.0 => Ok(steps as u32),
        _ => Err(Error::new(format!(
            "`{GRADIENT_STEPS}` is not one whole number of steps"
        ))
        .help("the checkpoint is damaged; go back to an older one")),
    }
}

fn check_shape(spec: &TensorSpec, tensor: &Tensor) -> Result<()> {
    let elements: usize = spec.shape.iter().product();
    if tensor.shape == spec.shape && tensor.data.len() == elements {
        return Ok(());
    }
    Err(Error::new(format!(
        "the tensor `{}` has the shape {:?} with {} elements where the network has {:?}",
        tensor.name,
        tensor.shape,
        tensor.data.len(),
        spec.shape
    ))
    .help("it belongs to another network, or to this one with other params"))
}

fn unknown(name: &str) -> Error {
    Error::new(format!("the network has no tensor `{name}`"))
        .help("it belongs to another network, or to this one with other params")
}

fn missing(spec: &TensorSpec) -> Error {
    Error::new(format!(
        "the tensor `{}` {:?} of the network is missing",
        spec.name, spec.shape
    ))
    .help("it belongs to another network, or to this one with other params")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> Vec<TensorSpec> {
        [
            ("fc.weight", vec![2, 3], Role::Weight),
            ("skip0.alpha", vec![2], Role::Alpha),
        ]
        .map(|(name, shape, role)| TensorSpec {
            name: name.to_string(),
            shape,
            role,
            start: crate::ir::Start::Number(0.0),
            frozen: false,
        })
        .to_vec()
    }

    fn whole() -> Vec<Tensor> {
        vec![
            Tensor::full("skip0.alpha", &[2], 0.5),
            Tensor::full("momentum/fc.weight", &[2, 3], 0.25),
            Tensor::full("fc.weight", &[2, 3], 1.0),
            Tensor::full("gradient_sum/skip0.alpha", &[2], 2.0),
            Tensor::full("gradient_sum/steps", &[1], 3.0),
        ]
    }

    fn message(tensors: &[Tensor]) -> String {
        let error = State::read(&specs(), tensors).err();
        error.map_or_else(String::new, |error| error.message)
    }

    #[test]
    fn a_whole_state_is_sorted() {
        let tensors = whole();
        let state = State::read(&specs(), &tensors).unwrap();
        assert_eq!(state.network, [&tensors[2], &tensors[0]]);
        assert_eq!(state.slot(Slot::KNOWN[0], "fc.weight"), Some(&tensors[1]));
        assert_eq!(state.gradient_sum("skip0.alpha"), Some(&tensors[3]));
        assert_eq!(state.gradient_steps, 3);
    }

    #[test]
    fn slots_and_sums_may_be_missing() {
        let mut tensors = whole();
        tensors.retain(|tensor| !tensor.name.contains('/'));
        let state = State::read(&specs(), &tensors).unwrap();
        assert_eq!(state.slot(Slot::KNOWN[0], "fc.weight"), None);
        assert_eq!(state.gradient_steps, 0);
    }

    #[test]
    fn each_mistake_is_named() {
        let with = |tensor| {
            let mut tensors = whole();
            tensors.push(tensor);
            message(&tensors)
        };
        assert!(message(&whole()[1..]).contains("`skip0.alpha` [2] of the network is missing"));
        assert!(with(Tensor::full("x", &[1], 0.0)).contains("no tensor `x`"));
        assert!(with(Tensor::full("skip0.alpha", &[2], 0.0)).contains("twice"));
        assert!(with(Tensor::full("fc.weight", &[3, 2], 0.0)).contains("[3, 2]"));
        let momentum = with(Tensor::full("momentum/skip0.alpha", &[2], 0.0));
        assert!(momentum.contains("no tensor `momentum/skip0.alpha`"));
        for steps in [-1.0, 0.5, f32::NAN] {
            assert!(with(Tensor::full("gradient_sum/steps", &[1], steps)).contains("whole number"));
        }
        let mut short = whole();
        short[0].data.pop();
        assert!(message(&short).contains("1 elements"));
    }
}
