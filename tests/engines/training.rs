//! Tests of training steps: the size of every update, states that are saved and loaded,
//! failures.

use crate::frozen::{evaluation_is_the_same_alone, what_is_frozen_stays};
use crate::gradients::compare;
use crate::networks::NETWORKS;
use crate::support::{AT, Make, batch, cpu, double, engines, model, state};
use std::sync::Arc;
use vanc::engines::{Engine, SkipState, StepContext};
use vanc::ir::expr::{Expr, Unary, Variable};
use vanc::ir::{Coefficient, Constraint, Every, Granularity, Held, Model, Mover, Op, Role, Start};
use vanc::schedule::{Multipliers, SkipMultipliers};
use vanc::tensor::{Batch, Tensor};

/// Layers of every kind that has a state.
const EVERYTHING: &str = "
    conv(4, kernel: 3) batch_norm relu
    skip variable { conv(6, kernel: 3, stride: 2) batch_norm relu }
    skip highway { conv(6, kernel: 3) relu }
    skip dirac { conv(6, kernel: 3) relu }
    dropout(0.3)
    linear(4)";

const SGD: &str = "sgd(rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.01)";
const EPOCH: &str =
    "lagrange(alpha: 0.3, lambda: -0.5, alpha_rate: 1, lambda_rate: 2, every: epoch)";

fn everything(constraint: &str) -> Model {
    let settings = [("optimizer", SGD), ("constraint", constraint)];
    model("3, 7, 5", EVERYTHING, &settings)
}

fn context(step: u64) -> StepContext {
    StepContext { step, ..AT }
}

fn bits(tensors: &[Tensor]) -> Vec<(String, Vec<u32>)> {
    let bits = |t: &Tensor| t.data.iter().map(|x| x.to_bits()).collect();
    tensors.iter().map(|t| (t.name.clone(), bits(t))).collect()
}

fn saved(engine: &dyn Engine) -> Vec<(String, Vec<u32>)> {
    bits(&engine.save().unwrap())
}

/// Applies SGD, as `vanc::ir::Sgd` describes it, to one tensor.
fn sgd_step(w: &mut [f64], v: &mut [f64], g: &[f32], nesterov: bool, decay: f64, momentum: f64) {
    for ((w, v), &g) in w.iter_mut().zip(v).zip(g) {
        let g = f64::from(g) + decay * *w;
        *v = momentum * *v + g;
        *w -= AT.rate * if nesterov { g + momentum * *v } else { *v };
    }
}

#[test]
fn steps_are_sgd_with_the_gradients() {
    for (settings, nesterov, decay, momentum) in [
        ("sgd(momentum: 0)", false, 0.0, 0.0),
        ("sgd(momentum: 0.9)", false, 0.0, 0.9),
        ("sgd(momentum: 0.5, weight_decay: 0.1)", false, 0.1, 0.5),
        (
            "sgd(momentum: 0.9, nesterov: true, weight_decay: 0.01)",
            true,
            0.01,
            0.9,
        ),
    ] {
        let model = model("3, 7, 5", EVERYTHING, &[("optimizer", settings)]);
        let specs = model.tensors();
        let tensors = state(&model, 1);
        let exact: Box<dyn Engine> = Box::new(double(&model, &tensors));
        for mut engine in [exact, cpu(&model, &tensors)] {
            let mut velocities: Vec<Vec<f64>> = Vec::new();
            for step in 0..3 {
                let batch = batch(&model, 3, step);
                let before = engine.save().unwrap();
                let (expected, gradients) = engine.gradients(&batch, context(step)).unwrap();
                assert_eq!(engine.step(&batch, context(step)).unwrap(), expected);
                let after = engine.save().unwrap();
                velocities.resize(gradients.len(), Vec::new());
                for (gradient, v) in gradients.iter().zip(&mut velocities) {
                    let index = specs.iter().position(|s| s.name == gradient.name);
                    let index = index.unwrap();
                    if specs[index].role == Role::Alpha {
                        continue;
                    }
                    v.resize(gradient.data.len(), 0.0);
                    let mut w: Vec<f64> = before[index].data.iter().map(|&x| x.into()).collect();
                    sgd_step(&mut w, v, &gradient.data, nesterov, decay, momentum);
                    for (&found, expected) in after[index].data.iter().zip(w) {
                        let error = (f64::from(found) - expected).abs();
                        assert!(error < 1e-6, "{settings}: {}: {error}", gradient.name);
                    }
                }
            }
        }
    }
}

#[test]
fn alpha_and_lambda_follow_the_rule() {
    let model = model(
        "3, 7, 5",
        "conv(4, kernel: 3)
         skip variable { conv(4, kernel: 3) skip variable(lambda: 0) { conv(4, kernel: 3) tanh } }
         linear(3)",
        &[(
            "constraint",
            "lagrange(alpha: 0.2, lambda: -0.5, alpha_rate: 3, lambda_rate: 0.1, every: step)",
        )],
    );
    let rule: Constraint = model.train.constraint;
    let tensors = vanc::engines::init::initial(&model, 0);
    for mut engine in [cpu(&model, &tensors), Box::new(double(&model, &tensors))] {
        // The inner skip is the first: its λ is 0 and stays there.
        let skips = [false, true].map(|enforced| {
            let held = Held {
                enforced,
                ..Held::ALPHA
            };
            SkipMultipliers::new(&rule, 4, held)
        });
        let mut expected = Multipliers::new(rule, skips.to_vec());
        for step in 0..4 {
            let batch = batch(&model, 2, step);
            let (_, gradients) = engine.gradients(&batch, AT).unwrap();
            let alphas = gradients.into_iter().filter(|g| g.name.ends_with(".alpha"));
            let alphas: Vec<_> = alphas.map(|g| g.data).collect();
            expected.step(AT.rate, &alphas);
            engine.step(&batch, AT).unwrap();
            engine.end_epoch(AT.rate).unwrap();
            let found = engine.skips().unwrap();
            let paths = ["skip0.skip0", "skip0"].iter();
            for ((found, expected), path) in found.iter().zip(&expected.skips).zip(paths) {
                let expected = SkipState {
                    path: path.to_string(),
                    alpha: expected.alpha.clone(),
                    lambda: expected.lambda.clone(),
                    target: 1.0,
                };
                assert_eq!(found, &expected);
            }
            // What is saved, and what the next forward pass uses, is the moved α.
            let saved = engine.save().unwrap();
            let alpha = saved.iter().find(|t| t.name == "skip0.alpha").unwrap();
            assert_eq!(alpha.data, found[1].alpha);
        }
    }
}

#[test]
fn every_epoch_waits_for_the_end_of_the_epoch() {
    for single in engines() {
        let model = everything(EPOCH);
        let mut engine = single(&model, &vanc::engines::init::initial(&model, 0));
        let start = engine.skips().unwrap();
        let mut sum = vec![0.0; 6];
        for step in 0..3 {
            let batch = batch(&model, 2, step);
            let (_, gradients) = engine.gradients(&batch, context(step)).unwrap();
            let alpha = gradients.iter().find(|g| g.name == "skip0.alpha").unwrap();
            sum.iter_mut().zip(&alpha.data).for_each(|(s, g)| *s += g);
            engine.step(&batch, context(step)).unwrap();
        }
        assert_eq!(engine.skips().unwrap(), start);
        engine.end_epoch(0.1).unwrap();
        let moved = engine.skips().unwrap();
        for ((alpha, lambda), sum) in moved[0].alpha.iter().zip(&moved[0].lambda).zip(sum) {
            let expected = 0.3 - 0.1 * (sum / 3.0 - 0.5);
            assert!((alpha - expected).abs() < 1e-6);
            assert!((lambda - (-0.5 + 0.2 * (alpha - 1.0))).abs() < 1e-6);
        }
    }
}

#[test]
fn a_state_comes_back_as_it_was_given() {
    for single in engines() {
        for network in NETWORKS {
            let model = network.model();
            let tensors = state(&model, 9);
            let mut found = single(&model, &tensors).save().unwrap();
            found.truncate(tensors.len());
            assert_eq!(found, tensors, "{}", network.name);
        }
    }
}

#[test]
fn a_loaded_state_goes_on_bit_for_bit() {
    for single in engines() {
        for constraint in [EPOCH, "lagrange(every: step)"] {
            let model = everything(constraint);
            let mut engine = single(&model, &state(&model, 2));
            for step in 0..3 {
                engine.step(&batch(&model, 3, step), context(step)).unwrap();
            }
            let state_then = engine.save().unwrap();
            let mut resumed = single(&model, &state_then);
            let mut reloaded = single(&model, &state(&model, 77));
            reloaded.step(&batch(&model, 2, 8), context(0)).unwrap();
            reloaded.load(&state_then).unwrap();
            for step in 3..6 {
                let batch = batch(&model, 3, step);
                let outcome = engine.step(&batch, context(step)).unwrap();
                assert_eq!(resumed.step(&batch, context(step)).unwrap(), outcome);
                assert_eq!(reloaded.step(&batch, context(step)).unwrap(), outcome);
            }
            for engine in [&mut engine, &mut resumed, &mut reloaded] {
                engine.end_epoch(0.1).unwrap();
            }
            assert_eq!(saved(resumed.as_ref()), saved(engine.as_ref()));
            assert_eq!(saved(reloaded.as_ref()), saved(engine.as_ref()));
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    // Large enough that products are split among threads, and narrow layers whose images
    // are.
    let large = "conv(16, kernel: 3) batch_norm relu conv(16, kernel: 3) relu linear(4)";
    let unit = "skip variable { batch_norm relu linear(20) } skip highway { linear(20) tanh }";
    let narrow = format!("linear(20) {unit} skip dirac {{ linear(20) }} crelu linear(4)");
    for single in engines() {
        for (input, layers, images) in [("3, 32, 32", large, 16), ("1, 6, 6", &narrow, 200)] {
            let model = model(input, layers, &[]);
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                pool.build().unwrap().install(|| {
                    let mut engine = single(&model, &state(&model, 2));
                    for step in 0..10 {
                        let batch = batch(&model, images, step);
                        engine.step(&batch, context(step)).unwrap();
                    }
                    saved(engine.as_ref())
                })
            };
            let alone = run(1);
            for threads in [2, 3, 5, 2] {
                assert_eq!(alone, run(threads));
            }
        }
    }
}

#[test]
fn reading_moves_nothing() {
    for single in engines() {
        let model = everything(EPOCH);
        let mut engine = single(&model, &state(&model, 2));
        let before = saved(engine.as_ref());
        let batch = batch(&model, 3, 0);
        engine.logits(&batch).unwrap();
        engine.gradients(&batch, AT).unwrap();
        engine.first_non_finite(&batch, AT).unwrap();
        engine.end_epoch(0.1).unwrap();
        assert_eq!(saved(engine.as_ref()), before);
    }
}

#[test]
fn dropout_is_the_steps_own_and_not_in_evaluation() {
    for single in engines() {
        let model = model("3, 7, 5", "dropout(0.5) linear(4)", &[]);
        let mut engine = single(&model, &state(&model, 2));
        let batch = batch(&model, 3, 0);
        let mut loss = |step| engine.gradients(&batch, context(step)).unwrap().0.loss;
        assert_eq!(loss(1), loss(1));
        assert_ne!(loss(1), loss(2));
        assert_eq!(
            engine.logits(&batch).unwrap(),
            engine.logits(&batch).unwrap()
        );
    }
}

/// Spoils one tensor of `everything`, and finds where that shows first.
fn first_bad(single: Make, name: &str, value: f32) -> Option<String> {
    let model = everything(EPOCH);
    let mut tensors = state(&model, 2);
    let tensor = tensors.iter_mut().find(|t| t.name == name).unwrap();
    tensor.data.fill(value);
    let mut engine = single(&model, &tensors);
    let batch = batch(&model, 3, 0);
    let before = saved(engine.as_ref());
    let outcome = engine.step(&batch, AT).unwrap();
    assert!(
        !outcome.loss.is_finite(),
        "{name}: the loss is {}",
        outcome.loss
    );
    assert_eq!(saved(engine.as_ref()), before, "{name}: something moved");
    engine.first_non_finite(&batch, AT).unwrap()
}

#[test]
fn a_loss_that_is_not_finite_moves_nothing_and_is_traced_to_its_layer() {
    for single in engines() {
        // A NaN, and weights so large that a product overflows.
        for value in [f32::NAN, f32::MAX] {
            for (name, path) in [
                ("conv0.weight", "conv0"),
                ("batch_norm0.weight", "batch_norm0"),
                ("skip0.conv0.weight", "skip0.conv0"),
                ("skip0.project.weight", "skip0.project"),
                ("skip1.conv0.weight", "skip1.conv0"),
                ("skip1.gate.weight", "skip1.gate"),
                ("linear0.weight", "linear0"),
            ] {
                if value.is_finite() && ["batch_norm0.weight", "skip1.gate.weight"].contains(&name)
                {
                    continue;
                }
                assert_eq!(
                    first_bad(single, name, value).as_deref(),
                    Some(path),
                    "{name} = {value}"
                );
            }
        }
        assert_eq!(
            first_bad(single, "skip2.conv0.dirac_a", f32::NAN).as_deref(),
            Some("skip2.conv0")
        );
        assert_eq!(
            first_bad(single, "skip0.alpha", f32::NAN).as_deref(),
            Some("skip0")
        );
    }
}

#[test]
fn nan_passes_through_every_activation() {
    for single in engines() {
        for layers in [
            "relu",
            "elu",
            "leaky_relu",
            "crelu",
            "tanh",
            "sigmoid",
            "max_pool(kernel: 1, stride: 1)",
            "avg_pool(kernel: 1, stride: 1)",
            "dropout(0.5)",
            "batch_norm",
        ] {
            let model = model("1, 1, 2", &format!("{layers} linear(2)"), &[]);
            let batch = Batch {
                images: vec![f32::NAN, f32::NAN],
                labels: vec![0],
            };
            let mut engine = single(&model, &state(&model, 1));
            let (outcome, _) = engine.gradients(&batch, AT).unwrap();
            assert!(outcome.loss.is_nan(), "{layers}");
        }
    }
}

#[test]
fn a_batch_that_does_not_fit_is_refused() {
    for single in engines() {
        let model = model("1, 2, 2", "linear(3)", &[]);
        let mut engine = single(&model, &state(&model, 1));
        let mut refused = |images: usize, labels: Vec<u32>| {
            let images = vec![0.0; images];
            let error = engine.step(&Batch { images, labels }, AT).unwrap_err();
            error.message
        };
        assert!(refused(7, vec![0, 0]).contains("7 pixels"));
        assert!(refused(0, vec![]).contains("0 images"));
        assert!(refused(4, vec![3]).contains("label 3"));
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    for single in engines() {
        let model = everything(EPOCH);
        let tensors = state(&model, 2);
        let mut engine = single(&model, &tensors);
        let before = saved(engine.as_ref());
        let error = engine.load(&tensors[1..]).unwrap_err();
        assert!(error.message.contains("`conv0.weight`"), "{error}");
        let mut wrong = tensors.clone();
        wrong[0].shape.reverse();
        let error = engine.load(&wrong).unwrap_err();
        assert!(error.message.contains("[3, 3, 3, 4]"), "{error}");
        assert_eq!(saved(engine.as_ref()), before);
    }
}

#[test]
fn training_learns_to_tell_four_images_apart() {
    for single in engines() {
        let constraint = "lagrange(alpha_rate: 0.2, lambda_rate: 0.1, every: step)";
        let layers = EVERYTHING.replace("dropout(0.3)", "");
        let model = model("3, 7, 5", &layers, &[("constraint", constraint)]);
        let mut engine = single(&model, &vanc::engines::init::initial(&model, 4));
        let mut batch = batch(&model, 4, 0);
        batch.labels = vec![0, 1, 2, 3];
        let first = engine.step(&batch, context(0)).unwrap().loss;
        for step in 1..60 {
            engine.step(&batch, context(step)).unwrap();
        }
        let last = engine.step(&batch, context(60)).unwrap();
        assert!(last.loss < 0.05 * first && last.correct == 4, "{last:?}");
        assert!(engine.skips().unwrap()[0].alpha.iter().all(|&a| a > 0.5));
        assert_eq!(model.train.constraint.every, Every::Step);
    }
}

#[test]
fn frozen_tensors_stay_on_every_engine() {
    engines().into_iter().for_each(what_is_frozen_stays);
}

#[test]
fn an_engine_made_to_evaluate_keeps_nothing_for_training() {
    evaluation_is_the_same_alone(cpu, |model, tensors| {
        vanc::engines::cpu::to_evaluate(model, tensors, vanc::engines::cpu::Cpu::here()).unwrap()
    });
}

#[test]
fn paths_that_freeze_nothing_or_all_are_refused() {
    let refused = |paths: &str| everything("lagrange()").freeze(paths).unwrap_err();
    let error = refused("conv0,skip0.conv1");
    assert!(error.message.contains("--freeze skip0.conv1: "), "{error}");
    assert!(error.help.unwrap().contains("did you mean `skip0.conv0`?"));
    assert!(refused("").message.contains("no layer and no tensor"));
    assert!(refused("skip").help.is_some());
    let all = "conv0,batch_norm0,skip0,skip1,skip2,linear0";
    assert!(
        refused(all)
            .message
            .contains("no weight is left to be trained")
    );
}

/// A network of a skip with two coefficients under the constraint, which have targets of their
/// own, and one that the optimizer moves.
fn three_coefficients(input: &str, layers: &str) -> Model {
    let rule = "lagrange(lambda: -0.5, alpha_rate: 1, lambda_rate: 0.3)";
    let decayed = "sgd(rate: 0.1, momentum: 0.9, weight_decay: 0.3)";
    let settings = [("constraint", rule), ("optimizer", decayed)];
    let mut model = model(input, layers, &settings);
    for layer in &mut model.layers {
        let (output, Op::Skip(skip)) = (layer.output, &mut layer.op) else {
            continue;
        };
        let held = |name: &str, granularity, start, range, target| Coefficient {
            name: name.into(),
            granularity: Some(granularity),
            mover: Mover::Constraint {
                multiplier: format!("{name}.lambda").into(),
                held: Held {
                    start: Some(start),
                    range,
                    target,
                    enforced: true,
                },
            },
        };
        let free = Coefficient {
            name: "c".into(),
            granularity: Some(Granularity::Channel),
            mover: Mover::Optimizer {
                start: 0.25,
                range: [0.24, 0.26],
            },
        };
        skip.policy.trained = vec![
            held("a", Granularity::Layer, 0.5, [-1.0, 2.0], 1.5),
            held("b", Granularity::Unit, 0.75, [0.25, f64::INFINITY], 0.5),
            free,
        ];
        let var = Expr::from;
        let share = (var(Variable::Trained(2)) * var(Variable::Shortcut)).apply(Unary::Tanh);
        let out = var(Variable::Trained(0)) * var(Variable::Body)
            + var(Variable::Trained(1)) * var(Variable::Shortcut)
            + share;
        skip.policy.out = Arc::new(out);
        let granularities = [Granularity::Layer, Granularity::Unit, Granularity::Channel];
        skip.coefficients = granularities.map(|part| part.extents(output)).to_vec();
    }
    model
}

#[test]
fn each_coefficient_follows_its_own_rule_on_every_engine() {
    for (input, layers) in [
        (
            "3, 7, 5",
            "conv(4, kernel: 3) skip variable { conv(4, kernel: 3) batch_norm relu } linear(3)",
        ),
        (
            "1, 1, 7",
            "linear(4) skip variable { linear(4) batch_norm relu } linear(3)",
        ),
        (
            "1, 1, 7",
            "linear(6) skip variable { batch_norm relu linear(6) } linear(3)",
        ),
    ] {
        let model = three_coefficients(input, layers);
        compare(&format!("coefficients of {layers}"), &model, 4);
        let tensors = vanc::engines::init::initial(&model, 0);
        let of = |tensors: &[Tensor], name: &str| -> Vec<f32> {
            let found = tensors.iter().find(|tensor| tensor.name == name);
            found.expect(name).data.clone()
        };
        assert_eq!(of(&tensors, "skip0.a.lambda"), [-0.5]);
        assert!(of(&tensors, "skip0.b.lambda").iter().all(|&l| l == 0.5));
        let mut made: Vec<_> = engines()
            .iter()
            .map(|make| make(&model, &tensors))
            .collect();
        let rule = model.train.constraint;
        let starts = model
            .tensors()
            .into_iter()
            .filter_map(|spec| match spec.start {
                Start::Coefficient(held) => Some(SkipMultipliers::new(
                    &rule,
                    spec.shape.iter().product(),
                    held,
                )),
                Start::Drawn { .. }
                | Start::Number(_)
                | Start::Bounded { .. }
                | Start::Multiplier(_) => None,
            });
        let mut expected = Multipliers::new(rule, starts.collect());
        for step in 0..4 {
            let batch = batch(&model, 4, step);
            let (_, gradients) = made[0].gradients(&batch, AT).unwrap();
            let of_held = ["skip0.a", "skip0.b"].map(|name| of(&gradients, name));
            expected.step(AT.rate, &of_held);
            let states: Vec<_> = made
                .iter_mut()
                .map(|engine| {
                    engine.step(&batch, AT).unwrap();
                    let free = of(&engine.save().unwrap(), "skip0.c");
                    assert!(free.iter().all(|x| (0.24..=0.26).contains(x)), "{free:?}");
                    engine.skips().unwrap()
                })
                .collect();
            for found in &states {
                let paths: Vec<_> = found
                    .iter()
                    .map(|skip| (&*skip.path, skip.target))
                    .collect();
                assert_eq!(paths, [("skip0.a", 1.5), ("skip0.b", 0.5)]);
                for (found, expected) in found.iter().zip(&expected.skips) {
                    let pairs = found.alpha.iter().zip(&expected.alpha);
                    for (a, b) in pairs.chain(found.lambda.iter().zip(&expected.lambda)) {
                        assert!((a - b).abs() < 1e-4, "{a} is not {b}");
                    }
                }
            }
        }
        // Those at an end of the range have been clipped; without that they would be past it.
        let free = made
            .iter()
            .map(|engine| of(&engine.save().unwrap(), "skip0.c"));
        assert!(free.flatten().any(|x| x == 0.24 || x == 0.26));
    }
}
