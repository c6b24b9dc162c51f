//! Tests of frozen tensors and of engines that only evaluate: on every engine that there is.

use crate::support::{AT, Make, batch, model, state};
use std::collections::HashMap;
use vanc::engines::StepContext;
use vanc::ir::Model;
use vanc::tensor::Tensor;

/// Layers of every kind that has a state, and the paths of some.
const CASES: [(&str, &str, &str); 2] = [
    (
        "3, 7, 5",
        "first: conv(4, kernel: 3) norm: batch_norm relu
         skip variable { conv(6, kernel: 3, stride: 2) batch_norm relu }
         skip highway { conv(6, kernel: 3) relu }
         skip dirac { conv(6, kernel: 3) relu }
         dropout(0.3)
         linear(4)",
        "first.weight,norm,skip0,skip2",
    ),
    // One that is narrow enough for the schedules of their own that engines have.
    (
        "1, 4, 4",
        "linear(10)
         skip variable { batch_norm relu linear(10) }
         skip variable { batch_norm relu linear(10) }
         linear(4)",
        "linear0,skip1",
    ),
];

const SETTINGS: [(&str, &str); 2] = [
    (
        "optimizer",
        "sgd(rate: 0.1, momentum: 0.9, weight_decay: 0.01)",
    ),
    (
        "constraint",
        "lagrange(alpha: 0.3, lambda: -0.5, alpha_rate: 1, lambda_rate: 2, every: step)",
    ),
];

fn context(step: u64) -> StepContext {
    StepContext { step, ..AT }
}

fn bits(tensors: Vec<Tensor>) -> HashMap<String, Vec<u32>> {
    let bits = |t: &Tensor| t.data.iter().map(|x| x.to_bits()).collect();
    tensors.iter().map(|t| (t.name.clone(), bits(t))).collect()
}

/// Checks that what is frozen stays to the last bit, and that a first step moves all else, to the
/// last bit as if nothing were.
pub fn what_is_frozen_stays(make: Make) {
    for (input, layers, paths) in CASES {
        let free = model(input, layers, &SETTINGS);
        let mut frozen = free.clone();
        frozen.freeze(paths).unwrap();
        let specs = frozen.tensors();
        assert!(specs.iter().any(|s| s.frozen) && specs.iter().any(|s| !s.frozen));
        let tensors = state(&free, 1);
        let before = bits(tensors.clone());
        let (mut ours, mut theirs) = (make(&frozen, &tensors), make(&free, &tensors));
        for engine in [&mut ours, &mut theirs] {
            engine.step(&batch(&free, 3, 0), context(0)).unwrap();
        }
        let (found, other) = (ours.save().unwrap(), theirs.save().unwrap());
        let (found, other) = (bits(found), bits(other));
        for spec in &specs {
            let name = &spec.name;
            let wanted = if spec.frozen { &before } else { &other };
            assert_eq!(found[name], wanted[name], "{} of {}", name, ours.name());
            let momentum = found.get(&format!("momentum/{name}"));
            assert_eq!(momentum.is_some(), spec.is_optimized(), "{name}");
        }
        for step in 1..4 {
            ours.step(&batch(&free, 3, step), context(step)).unwrap();
            ours.end_epoch(0.1).unwrap();
        }
        let last = bits(ours.save().unwrap());
        for spec in specs.iter().filter(|spec| spec.frozen) {
            assert_eq!(last[&spec.name], before[&spec.name], "{}", spec.name);
        }
        // A state is read back, and one with momentum for what is frozen is another's.
        let saved = ours.save().unwrap();
        ours.load(&saved).unwrap();
        assert_eq!(bits(ours.save().unwrap()), last);
        let error = ours.load(&theirs.save().unwrap()).unwrap_err();
        assert!(error.message.contains("momentum/"), "{error}");
    }
}

/// Checks that an engine made to evaluate has the same logits, and that a step of training on it
/// is a step of training.
pub fn evaluation_is_the_same_alone(make: Make, to_evaluate: Make) {
    for (input, layers, _) in CASES {
        let model: Model = model(input, layers, &SETTINGS);
        let tensors = state(&model, 1);
        let batch = batch(&model, 3, 2);
        let (mut ours, mut theirs) = (to_evaluate(&model, &tensors), make(&model, &tensors));
        let logits = |engine: &mut dyn vanc::engines::Engine| -> Vec<u32> {
            let logits = engine.logits(&batch).unwrap();
            logits.iter().map(|x| x.to_bits()).collect()
        };
        assert_eq!(logits(ours.as_mut()), logits(theirs.as_mut()));
        assert!(ours.save().unwrap().len() < theirs.save().unwrap().len());
        for engine in [&mut ours, &mut theirs] {
            engine.step(&batch, AT).unwrap();
        }
        assert_eq!(bits(ours.save().unwrap()), bits(theirs.save().unwrap()));
    }
}
