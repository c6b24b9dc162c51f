//! Timing of a step: `cargo test --release --test engines -- --ignored --nocapture`.

use crate::support::{batch, dfdx};
use std::time::Instant;
use vanc::check::{Override, OverrideTarget, check};
use vanc::diag::Sources;
use vanc::engines::{StepContext, init};

const STEPS: u64 = 8;

#[test]
#[ignore = "prints times"]
fn seconds_a_step() {
    for policy in ["plain", "resnet", "highway", "dirac", "variable"] {
        let text = include_str!("../../examples/cifar_8n2.van");
        let mut sources = Sources::new("cifar_8n2.van", text);
        let params = [("n", "1"), ("width", "8"), ("policy", policy)];
        let overrides = params.map(|(name, value)| Override {
            target: OverrideTarget::Param,
            name: name.to_string(),
            value: value.to_string(),
        });
        let model = check(&mut sources, &overrides, true).unwrap();
        let mut engine = dfdx(&model, &init::initial(&model, 0));
        let batch = batch(&model, 128, 0);
        let mut times = Vec::new();
        for step in 0..STEPS {
            let (rate, seed) = (0.01, 0);
            let start = Instant::now();
            engine
                .step(&batch, StepContext { rate, seed, step })
                .unwrap();
            times.push(start.elapsed().as_secs_f64());
        }
        let start = Instant::now();
        engine.logits(&batch).unwrap();
        let evaluation = start.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        println!(
            "{policy:8}  step {:.3} s (slowest {:.3})  evaluation {evaluation:.3} s",
            times[times.len() / 2],
            times[times.len() - 1],
        );
    }
}
