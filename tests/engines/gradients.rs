//! Tests of every gradient against central differences, in f64.

use crate::networks::NETWORKS;
use crate::support::{AT, Draw, GRID, batch, double, state};
use vanc::engines::Engine;
use vanc::ir::Model;
use vanc::tensor::{Batch, Tensor};

/// Number of elements tried in each tensor.
const TRIED: usize = 12;

fn loss(engine: &mut dyn Engine, state: &[Tensor], batch: &Batch) -> f64 {
    engine.load(state).unwrap();
    engine.gradients(batch, AT).unwrap().0.loss
}

/// Compares ∂C/∂w at random elements of every parameter with
/// (8(C(w + h) − C(w − h)) − (C(w + 2h) − C(w − 2h)))/12h, whose error is of h⁴.
pub fn compare(name: &str, model: &Model, images: usize) {
    let mut tensors = state(model, 11);
    let batch = batch(model, images, 17);
    let mut engine = double(model, &tensors);
    let (_, gradients) = engine.gradients(&batch, AT).unwrap();
    let mut draw = Draw::new(23);
    for gradient in &gradients {
        let index = tensors.iter().position(|t| t.name == gradient.name);
        let index = index.unwrap();
        assert_eq!(tensors[index].shape, gradient.shape);
        for _ in 0..TRIED.min(gradient.data.len()) {
            let element = draw.below(gradient.data.len());
            let weight = tensors[index].data[element];
            let mut shifted = |to: f32| {
                tensors[index].data[element] = to;
                loss(&mut engine, &tensors, &batch)
            };
            let near = shifted(weight + GRID) - shifted(weight - GRID);
            let far = shifted(weight + 2.0 * GRID) - shifted(weight - 2.0 * GRID);
            tensors[index].data[element] = weight;
            let expected = (8.0 * near - far) / (12.0 * f64::from(GRID));
            let found = f64::from(gradient.data[element]);
            assert!(
                (found - expected).abs() < 1e-6 * (0.1 + expected.abs()),
                "{name}, {images} images: {} [{element}] is {found}, not {expected}",
                gradient.name,
            );
        }
    }
}

#[test]
fn every_gradient_is_the_slope_of_the_loss() {
    for network in NETWORKS {
        let model = network.model();
        for images in [1, 2, 3] {
            compare(network.name, &model, images);
        }
    }
}

#[test]
fn the_loss_depends_on_every_parameter() {
    for network in NETWORKS {
        let model = network.model();
        let tensors = state(&model, 11);
        let (_, gradients) = double(&model, &tensors)
            .gradients(&batch(&model, 3, 17), AT)
            .unwrap();
        let parameters = model.tensors().into_iter();
        let parameters = parameters.filter(|spec| spec.role.is_parameter());
        assert!(
            parameters
                .map(|spec| spec.name)
                .eq(gradients.iter().map(|g| g.name.clone()))
        );
        for gradient in gradients {
            // A body of nothing is s(x) whatever α or the gate says, in the convex forms.
            let idle = network.name.ends_with("of nothing");
            let is_moved = gradient.data.iter().any(|&g| g != 0.0);
            assert!(idle || is_moved, "{}: {}", network.name, gradient.name);
        }
    }
}
