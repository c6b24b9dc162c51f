//! The switch between Winograd's method and the definition.

use crate::support::{AT, batch, cpu, dfdx, model, state};
use vanc::engines::Engine;
use vanc::engines::cpu::{Cpu, CpuEngine, memory};
use vanc::ir::Model;
use vanc::plan::Purpose;

const LAYERS: &str = "conv(20, kernel: 3, stride: 1) relu \
                      conv(36, kernel: 3, stride: 2) relu conv(20, kernel: 3) linear(3)";

/// Every gradient, one after another.
fn gradients(engine: &mut dyn Engine, model: &Model) -> Vec<Vec<f32>> {
    let (_, tensors) = engine.gradients(&batch(model, 3, 17), AT).unwrap();
    tensors.into_iter().map(|tensor| tensor.data).collect()
}

#[test]
fn without_winograd_results_are_close_to_those_with_it_and_not_the_same() {
    let model = model("18, 9, 11", LAYERS, &[]);
    let tensors = state(&model, 11);
    let direct = Cpu::here().with_winograd(false);
    let mut direct = CpuEngine::new(&model, &tensors, direct).unwrap();
    let want = gradients(&mut direct, &model);
    let fast = gradients(cpu(&model, &tensors).as_mut(), &model);
    let reference = gradients(dfdx(&model, &tensors).as_mut(), &model);
    for got in [&fast, &reference] {
        for (got, want) in got.iter().zip(&want) {
            let scale = want.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
            let apart = got.iter().zip(want).map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f32::max) < 1e-4 * scale);
        }
    }
    assert_ne!(fast, want);
}

#[test]
fn the_plan_knows_which_it_is() {
    let model = model("18, 9, 11", LAYERS, &[]);
    let needed = |winograd| {
        let target = Cpu::here().with_winograd(winograd);
        memory(&model, 8, Purpose::Training, target).unwrap()
    };
    assert_ne!(needed(true), needed(false));
}
