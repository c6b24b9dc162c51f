//! Tests of the compiled engine against the reference, on every network.

use crate::networks::NETWORKS;
use crate::support::{AT, batch, cpu, dfdx, double, state};
use vanc::engines::{Engine, StepContext, init};

#[test]
fn gradients_are_those_of_the_reference() {
    for network in NETWORKS {
        let model = network.model();
        let tensors = state(&model, 11);
        for images in [1, 2, 3] {
            let batch = batch(&model, images, 17);
            let (outcome, found) = cpu(&model, &tensors).gradients(&batch, AT).unwrap();
            let mut reference = double(&model, &tensors);
            let (expected_outcome, expected) = reference.gradients(&batch, AT).unwrap();
            assert_eq!(outcome.correct, expected_outcome.correct);
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(
                    (&found.name, &found.shape),
                    (&expected.name, &expected.shape)
                );
                let largest = expected.data.iter().fold(0.0_f32, |a, &b| a.max(b.abs()));
                // Batch norm of one or two values divides by almost nothing.
                let tolerance = if images < 3 { 3e-3 } else { 1e-4 } * (largest + 1e-3);
                for (found, expected) in found.data.iter().zip(&expected.data) {
                    assert!(
                        (found - expected).abs() <= tolerance,
                        "{}, {images} images: {found} is not {expected}",
                        network.name,
                    );
                }
            }
        }
    }
}

#[test]
fn ten_steps_lose_what_the_reference_loses() {
    for network in NETWORKS {
        let model = network.model();
        let tensors = init::initial(&model, 4);
        let (mut engine, mut reference) = (cpu(&model, &tensors), dfdx(&model, &tensors));
        for step in 0..10 {
            let context = StepContext {
                rate: 0.02,
                step,
                ..AT
            };
            let batch = batch(&model, 5, step);
            let found = engine.step(&batch, context).unwrap().loss;
            let expected = reference.step(&batch, context).unwrap().loss;
            assert!(
                (found - expected).abs() <= 1e-4 * (1.0 + expected.abs()),
                "{}, step {step}: {found} is not {expected}",
                network.name,
            );
        }
    }
}
