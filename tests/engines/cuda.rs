//! The compiled engine on a GPU, or on the stand-in of `tests/emulator`, against the same on
//! the CPU, on every network.

mod frozen;
#[path = "../needs/mod.rs"]
mod needs;
mod networks;
#[allow(dead_code, reason = "shared with the suite of all engines")]
mod support;

use crate::needs::{Need, case};
use crate::networks::NETWORKS;
use crate::support::{AT, batch, card, cpu, cuda, model, state};
use vanc::engines::cuda::{Precision, engine, to_evaluate};
use vanc::engines::{Engine, Images, Order, StepContext, init};
use vanc::ir::{Augment, Model, Shape};
use vanc::tensor::{Batch, Tensor};

fn context(step: u64) -> StepContext {
    let rate = 0.02;
    StepContext { rate, step, ..AT }
}

fn close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f32, |a, &b| a.max(b.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        assert!(
            error <= tolerance * (largest + 1e-2),
            "{what}: {found} is not {expected}"
        );
    }
}

fn same(found: &[Tensor], expected: &[Tensor], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(
            (&found.name, &found.shape),
            (&expected.name, &expected.shape)
        );
        let what = format!("{what}: {}", found.name);
        close(&found.data, &expected.data, tolerance, &what);
    }
}

fn logits_and_gradients_are_those_of_the_cpu() {
    for network in NETWORKS {
        let model = network.model();
        let tensors = state(&model, 11);
        let (mut ours, mut theirs) = (cuda(&model, &tensors), cpu(&model, &tensors));
        for images in [1, 2, 3] {
            let batch = batch(&model, images, 17);
            let what = format!("{}, {images} images", network.name);
            let logits = [&mut ours, &mut theirs].map(|e| e.logits(&batch).unwrap());
            close(&logits[0], &logits[1], 1e-4, &what);
            let (found, gradients) = ours.gradients(&batch, AT).unwrap();
            let (expected, reference) = theirs.gradients(&batch, AT).unwrap();
            assert_eq!(found.correct, expected.correct, "{what}");
            assert!((found.loss - expected.loss).abs() < 1e-4, "{what}");
            // Batch norm of one or two values divides by almost nothing.
            let tolerance = if images < 3 { 3e-3 } else { 1e-4 };
            same(&gradients, &reference, tolerance, &what);
        }
    }
}

fn twenty_steps_lose_what_the_cpu_loses() {
    for network in NETWORKS {
        let model = network.model();
        let tensors = init::initial(&model, 4);
        let (mut ours, mut theirs) = (cuda(&model, &tensors), cpu(&model, &tensors));
        for step in 0..20 {
            // The last batch of an epoch is smaller.
            let batch = batch(&model, if step % 7 == 6 { 3 } else { 5 }, step);
            let found = ours.step(&batch, context(step)).unwrap().loss;
            let expected = theirs.step(&batch, context(step)).unwrap().loss;
            assert!(
                (found - expected).abs() <= 1e-3 * (1.0 + expected.abs()),
                "{}, step {step}: {found} is not {expected}",
                network.name
            );
        }
        same(
            &ours.save().unwrap(),
            &theirs.save().unwrap(),
            2e-2,
            network.name,
        );
    }
}

/// Layers of every kind that has a state.
const EVERYTHING: &str = "
    conv(8, kernel: 3) batch_norm relu
    skip variable { conv(6, kernel: 3, stride: 2) batch_norm relu }
    skip highway { conv(6, kernel: 3) relu }
    skip dirac { conv(6, kernel: 3) relu }
    dropout(0.3)
    linear(4)";

fn a_checkpoint_moves_between_devices() {
    let constraint =
        "lagrange(alpha: 0.3, lambda: -0.5, alpha_rate: 1, lambda_rate: 2, every: epoch)";
    let model = model("3, 7, 5", EVERYTHING, &[("constraint", constraint)]);
    let mut ours = cuda(&model, &state(&model, 2));
    for step in 0..3 {
        ours.step(&batch(&model, 3, step), context(step)).unwrap();
    }
    let saved = ours.save().unwrap();
    let mut theirs = cpu(&model, &saved);
    assert_eq!(theirs.save().unwrap(), saved);
    ours.load(&theirs.save().unwrap()).unwrap();
    assert_eq!(ours.save().unwrap(), saved);
    for engine in [&mut ours, &mut theirs] {
        engine.step(&batch(&model, 3, 3), context(3)).unwrap();
        engine.end_epoch(0.1).unwrap();
    }
    same(
        &ours.save().unwrap(),
        &theirs.save().unwrap(),
        1e-3,
        "resumed",
    );
}

fn batches_made_on_the_card_are_those_of_the_host() {
    for layers in [EVERYTHING, "linear(8) relu linear(4)"] {
        let model = model("3, 7, 5", layers, &[]);
        let (count, elements) = (7, 105);
        let pixels: Vec<u8> = (0..count * elements)
            .map(|k| (k * 37 % 251) as u8)
            .collect();
        let labels: Vec<u32> = (0..count as u32).map(|k| k % 4).collect();
        let (mean, deviation) = ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3]);
        let images = Images {
            shape: Shape::image(3, 7, 5),
            pixels: &pixels,
            labels: &labels,
            mean: &mean,
            deviation: &deviation,
            batch: 4,
            augment: &[Augment::PadCrop(2), Augment::FlipHorizontal],
        };
        let order = Order {
            images: vec![3, 0, 6, 1, 5, 2, 4],
            changes: (0..7)
                .flat_map(|k| [((k * 3 % 5) - 2, (k * 2 % 5) - 2), (0, k % 2)])
                .collect(),
        };
        let tensors = init::initial(&model, 4);
        let (mut ours, mut theirs) = (cuda(&model, &tensors), cpu(&model, &tensors));
        let mut resident = ours.resident().unwrap();
        assert!(resident.make_resident(&images).unwrap());
        resident.begin_epoch(&order).unwrap();
        for index in [0, 1] {
            resident.queue(index, context(index as u64)).unwrap();
        }
        let found = resident.outcomes().unwrap();
        let expected: Vec<_> = [0, 1]
            .iter()
            .map(|&index| {
                let batch = on_host(&images, &order, index);
                theirs.step(&batch, context(index as u64)).unwrap()
            })
            .collect();
        assert_eq!(found.len(), 2);
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found.loss - expected.loss).abs() < 1e-4,
                "{found:?} {expected:?}"
            );
            assert_eq!(found.correct, expected.correct);
        }
        assert!(resident.queue(2, context(2)).is_err());
    }
}

/// Hidden layers of every kind that a single launch can run.
const NARROW: &str = "
    linear(10)
    skip variable { batch_norm relu linear(10) }
    skip resnet(scale: 0.5) { batch_norm(eps: 0.01) tanh linear(10, bias: false) }
    skip plain { batch_norm elu(alpha: 0.7) linear(10) }
    skip variable(form: convex) { batch_norm leaky_relu linear(10) }
    skip plain { batch_norm linear(10) }
    linear(4)";

fn narrow_mlps_are_those_of_the_cpu() {
    for constraint in ["lagrange()", "lagrange(alpha_granularity: layer)"] {
        let model = model("1, 4, 4", NARROW, &[("constraint", constraint)]);
        let tensors = state(&model, 11);
        let (mut ours, mut theirs) = (cuda(&model, &tensors), cpu(&model, &tensors));
        // One block of threads, three of which the last has one row, four whole ones.
        for images in [5, 17, 32] {
            let batch = batch(&model, images, 17);
            let what = format!("narrow, {images} images, {constraint}");
            let (found, gradients) = ours.gradients(&batch, AT).unwrap();
            let (expected, reference) = theirs.gradients(&batch, AT).unwrap();
            assert_eq!(found.correct, expected.correct, "{what}");
            assert!((found.loss - expected.loss).abs() < 1e-5, "{what}");
            same(&gradients, &reference, 1e-4, &what);
            for step in 0..3 {
                let found = ours.step(&batch, context(step)).unwrap().loss;
                let expected = theirs.step(&batch, context(step)).unwrap().loss;
                assert!(
                    (found - expected).abs() < 1e-4,
                    "{what}: {found} {expected}"
                );
            }
        }
        same(
            &ours.save().unwrap(),
            &theirs.save().unwrap(),
            1e-3,
            constraint,
        );
    }
}

/// Makes a batch by the definition of [`Order`].
fn on_host(images: &Images, order: &Order, index: usize) -> Batch {
    let chosen = order.images.chunks(images.batch).nth(index).unwrap();
    let mut batch = Batch {
        images: Vec::new(),
        labels: chosen.iter().map(|&k| images.labels[k as usize]).collect(),
    };
    for &image in chosen {
        let [(down, right), (_, flip)] = [0, 1].map(|k| order.changes[image as usize * 2 + k]);
        for y in 0..7_i32 {
            for x in 0..5_i32 {
                let x = if flip == 1 { 4 - x } else { x };
                let (y, x) = (y + down, x + right);
                let inside = (0..7).contains(&y) && (0..5).contains(&x);
                for c in 0..3 {
                    let offset =
                        image as usize * 105 + c * 35 + (y * 5 + x) as usize * usize::from(inside);
                    let pixel = if inside {
                        f32::from(images.pixels[offset])
                    } else {
                        0.0
                    };
                    let value = (pixel / 255.0 - images.mean[c]) / images.deviation[c];
                    batch.images.push(value);
                }
            }
        }
    }
    batch
}

fn a_loss_that_is_not_finite_halts_what_is_queued() {
    let model = model("1, 1, 2", "linear(2, bias: false)", &[]);
    let pixels = [0, 255, 255, 0];
    let images = Images {
        shape: Shape::image(1, 1, 2),
        pixels: &pixels,
        labels: &[0, 1],
        mean: &[0.0],
        deviation: &[1.0],
        batch: 1,
        augment: &[],
    };
    let mut tensors = init::initial(&model, 0);
    tensors[0].data = vec![f32::INFINITY, 0.5, 0.25, 0.125];
    let mut engine = cuda(&model, &tensors);
    let mut resident = engine.resident().unwrap();
    resident.make_resident(&images).unwrap();
    let order = Order {
        images: vec![1, 0],
        changes: Vec::new(),
    };
    resident.begin_epoch(&order).unwrap();
    drop(resident);
    let before = engine.save().unwrap();
    let mut resident = engine.resident().unwrap();
    for step in 0..2 {
        resident.queue(step, context(step as u64)).unwrap();
    }
    let found = resident.outcomes().unwrap();
    drop(resident);
    assert!(!found[0].loss.is_finite());
    assert_eq!(engine.save().unwrap(), before);
    tensors[0].data[0] = 1.0;
    engine.load(&tensors).unwrap();
    let mut resident = engine.resident().unwrap();
    resident.queue(0, context(0)).unwrap();
    assert!(resident.outcomes().unwrap()[0].loss.is_finite());
    drop(resident);
    assert_ne!(engine.save().unwrap(), before);
}

fn sixteen_bits_lose_about_the_same() {
    let card = card().expect("a GPU");
    for network in NETWORKS {
        let model = network.model();
        let tensors = init::initial(&model, 4);
        let mut ours = engine(card, Precision::Bf16, &model, &tensors).unwrap();
        let mut theirs = cpu(&model, &tensors);
        for step in 0..3 {
            let batch = batch(&model, 5, step);
            let found = ours.step(&batch, context(step)).unwrap().loss;
            let expected = theirs.step(&batch, context(step)).unwrap().loss;
            assert!(
                (found - expected).abs() <= 0.1 * (1.0 + expected.abs()),
                "{}, step {step}: {found} is not {expected}",
                network.name
            );
        }
    }
}

/// Makes the engine that [`cuda`] makes, for evaluation alone.
fn evaluating(model: &Model, tensors: &[Tensor]) -> Box<dyn Engine> {
    let card = card().expect("a GPU");
    to_evaluate(card, Precision::F32, model, tensors).expect("an engine")
}

fn main() -> std::process::ExitCode {
    let gpu: Need = card().map(|_| ()).ok_or("an NVIDIA GPU".into());
    needs::run(vec![
        case(
            "logits_and_gradients_are_those_of_the_cpu",
            &gpu,
            logits_and_gradients_are_those_of_the_cpu,
        ),
        case(
            "twenty_steps_lose_what_the_cpu_loses",
            &gpu,
            twenty_steps_lose_what_the_cpu_loses,
        ),
        case(
            "a_checkpoint_moves_between_devices",
            &gpu,
            a_checkpoint_moves_between_devices,
        ),
        case(
            "batches_made_on_the_card_are_those_of_the_host",
            &gpu,
            batches_made_on_the_card_are_those_of_the_host,
        ),
        case(
            "narrow_mlps_are_those_of_the_cpu",
            &gpu,
            narrow_mlps_are_those_of_the_cpu,
        ),
        case("what_is_frozen_stays", &gpu, || {
            frozen::what_is_frozen_stays(cuda);
        }),
        case("evaluation_is_the_same_alone", &gpu, || {
            frozen::evaluation_is_the_same_alone(cuda, evaluating);
        }),
        case(
            "a_loss_that_is_not_finite_halts_what_is_queued",
            &gpu,
            a_loss_that_is_not_finite_halts_what_is_queued,
        ),
        case(
            "sixteen_bits_lose_about_the_same",
            &gpu,
            sixteen_bits_lose_about_the_same,
        ),
    ])
}
