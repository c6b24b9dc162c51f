//! Tests of the forward pass against naive loops.

use crate::naive::{cross_entropy, run};
use crate::networks::NETWORKS;
use crate::support::{AT, batch, cpu, dfdx, double, engines, model, state};
use vanc::engines::Engine;
use vanc::tensor::Batch;

fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(
        error <= tolerance * (1.0 + expected.abs()),
        "{what} is {found}, not {expected}"
    );
}

#[test]
fn logits_and_loss_are_those_of_naive_loops() {
    for network in NETWORKS {
        let model = network.model();
        let tensors = state(&model, 3);
        let batch = batch(&model, 3, 4);
        let (logits, _) = run(&model, &tensors, &batch, false);
        let (trained, _) = run(&model, &tensors, &batch, true);
        let loss = cross_entropy(&trained, &batch.labels);
        let engines: [(Box<dyn Engine>, f64); 3] = [
            (dfdx(&model, &tensors), 3e-5),
            (cpu(&model, &tensors), 3e-5),
            // Logits come back as f32; all else is f64.
            (Box::new(double(&model, &tensors)), 1e-7),
        ];
        for (mut engine, tolerance) in engines {
            let found = engine.logits(&batch).unwrap();
            assert_eq!(found.len(), logits.len());
            for (&found, &expected) in found.iter().zip(&logits) {
                close(f64::from(found), expected, tolerance, network.name);
            }
            let (outcome, _) = engine.gradients(&batch, AT).unwrap();
            close(outcome.loss, loss, tolerance, network.name);
        }
    }
}

#[test]
fn a_step_moves_the_running_statistics_and_evaluation_uses_them() {
    for network in NETWORKS {
        let model = network.model();
        let tensors = state(&model, 3);
        let batch = batch(&model, 3, 4);
        let (_, naive) = run(&model, &tensors, &batch, true);
        let engines: [Box<dyn Engine>; 2] =
            [Box::new(double(&model, &tensors)), cpu(&model, &tensors)];
        for mut engine in engines {
            engine.step(&batch, AT).unwrap();
            let after = engine.save().unwrap();
            let mut moved = 0;
            for tensor in &after {
                if let Some(expected) = naive.moved.get(&tensor.name) {
                    moved += 1;
                    for (&found, &expected) in tensor.data.iter().zip(expected) {
                        close(f64::from(found), expected, 1e-6, &tensor.name);
                    }
                }
            }
            assert_eq!(moved, naive.moved.len());
            let (logits, _) = run(&model, &after, &batch, false);
            for (found, expected) in engine.logits(&batch).unwrap().into_iter().zip(logits) {
                close(f64::from(found), expected, 1e-5, network.name);
            }
        }
    }
}

#[test]
fn correct_counts_the_first_largest_logit() {
    let model = model("1, 1, 3", "linear(3, bias: false)", &[]);
    let mut tensors = state(&model, 0);
    // The logits are the pixels.
    tensors[0].data = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let batch = Batch {
        images: vec![
            0.0, 2.0, 1.0, // 1 wins
            3.0, 3.0, 1.0, // 0 wins over its equal 1
            3.0, 3.0, 1.0, // so 1 does not
            0.5, 0.1, 0.2, // 2 does not
        ],
        labels: vec![1, 0, 1, 2],
    };
    for single in engines() {
        let (outcome, _) = single(&model, &tensors).gradients(&batch, AT).unwrap();
        assert_eq!(outcome.correct, 2);
    }
}

#[test]
fn a_huge_logit_does_not_overflow_the_loss() {
    let model = model("1, 1, 2", "linear(2, bias: false)", &[]);
    let mut tensors = state(&model, 0);
    tensors[0].data = vec![1.0, 0.0, 0.0, 1.0];
    let batch = Batch {
        images: vec![1e4, -1e4],
        labels: vec![1],
    };
    for single in engines() {
        let (outcome, gradients) = single(&model, &tensors).gradients(&batch, AT).unwrap();
        assert_eq!(outcome.loss, 2e4);
        assert!(gradients[0].data.iter().all(|g| g.is_finite()));
    }
}
