use super::super::{Action, ConvPass, Method, Purpose, Step, Window};
use super::*;
use crate::check::check;
use crate::diag::Sources;
use crate::ir::Model;

/// An engine of 16 lanes that wants a little scratch memory for convolutions.
struct Sixteen;

impl Target for Sixteen {
    fn lanes(&self) -> usize {
        16
    }

    fn method(&self, _: usize, _: Window) -> Method {
        Method::Direct
    }

    fn workspace(&self, _: &Plan, step: &Step) -> usize {
        let is_forward = matches!(&step.action, Action::Convolve(c)
            if matches!(c.pass, ConvPass::Forward { .. }));
        if is_forward { 100 } else { 0 }
    }
}

fn model(layers: &str) -> Model {
    let text = format!("model m {{ input image(3, 8, 8)\n{layers} }}");
    let mut sources = Sources::new("test.van", text.as_str());
    check(&mut sources, &[], false).unwrap_or_else(|_| panic!("{layers} has mistakes"))
}

const LAYERS: &str = "
    conv(8, kernel: 3) batch_norm relu
    skip variable { conv(8, kernel: 3) batch_norm relu }
    skip highway { conv(24, kernel: 3, stride: 2) tanh }
    concat { conv(4, kernel: 1) } dropout(0.1) max_pool(kernel: 2, stride: 2)
    linear(5)";

fn plan(purpose: Purpose) -> Plan {
    Plan::new(&model(LAYERS), 3, purpose, &Sixteen).unwrap()
}

#[test]
fn buffers_that_live_together_do_not_overlap() {
    for purpose in [Purpose::Training, Purpose::Evaluation, Purpose::Inspection] {
        let plan = plan(purpose);
        let lives = lives(&plan);
        let spans: Vec<_> = plan
            .buffers
            .iter()
            .zip(&lives)
            .filter_map(|(buffer, life)| match (buffer.storage, life) {
                (Storage::Arena { offset }, Some(life)) => {
                    Some((offset, offset + buffer.elements, *life))
                }
                _ => None,
            })
            .collect();
        for (i, a) in spans.iter().enumerate() {
            assert!(a.1 <= plan.arena && a.0.is_multiple_of(ALIGNMENT));
            for b in &spans[..i] {
                let apart = a.1 <= b.0 || b.1 <= a.0;
                assert!(apart || !a.2.meets(b.2), "{a:?} and {b:?}");
            }
        }
    }
}

#[test]
fn memory_is_shared() {
    let plan = plan(Purpose::Evaluation);
    let all: usize = plan
        .buffers
        .iter()
        .filter(|buffer| matches!(buffer.storage, Storage::Arena { .. }))
        .map(|buffer| buffer.elements)
        .sum();
    assert!(plan.arena * 2 < all, "{} of {all}", plan.arena);
}

#[test]
fn every_buffer_is_written_before_it_is_read() {
    for purpose in [Purpose::Training, Purpose::Evaluation, Purpose::Inspection] {
        let plan = plan(purpose);
        let mut written = vec![false; plan.buffers.len()];
        written[plan.input.0] = true;
        for step in plan.steps() {
            let in_arena = |id: &Id| matches!(plan.buffer(*id).storage, Storage::Arena { .. });
            for id in step.reads.iter().filter(|id| in_arena(id)) {
                assert!(written[id.0], "{}: {}", step.path, plan.buffer(*id).name);
            }
            for (i, id) in step.writes.iter().enumerate() {
                assert!(!step.writes[..i].contains(id), "{} writes twice", step.path);
                written[id.0] = true;
            }
        }
        assert!(written[plan.logits.0]);
    }
}

#[test]
fn passes_are_fused_and_the_peak_adds_up() {
    let plan = plan(Purpose::Training);
    let fused = plan.forward.iter().filter_map(|step| {
        if let Action::Pointwise(pass) = &step.action
            && pass.norm.is_some()
        {
            Some(pass)
        } else {
            None
        }
    });
    assert!(fused.clone().all(|pass| pass.activation.is_some()));
    assert_eq!(fused.filter(|pass| pass.join.is_some()).count(), 1);
    let alone = |step: &&Step| matches!(step.action, Action::Statistics { .. });
    assert_eq!(plan.forward.iter().filter(alone).count(), 0);
    let tensors: usize = model(LAYERS)
        .tensors()
        .iter()
        .map(|spec| {
            let copies = match (spec.role.is_optimized(), spec.role.is_parameter()) {
                (true, _) => 3,
                (false, true) => 2,
                (false, false) => 1,
            };
            copies * spec.shape.iter().product::<usize>()
        })
        .sum();
    assert_eq!(plan.peak_bytes(), 4 * (plan.arena + tensors));
}
