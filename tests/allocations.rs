//! Test that a step of the compiled engine allocates no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use vanc::engines::cpu::{Cpu, CpuEngine};
use vanc::engines::{Engine, StepContext, init};
use vanc::ir::expr::{Expr, Unary, Variable};
use vanc::ir::{Layer, Model, Op};
use vanc::tensor::Batch;

/// Allocator that counts the calls to the system's.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Model of an example, made small by `params`.
fn model(file: &str, params: &[(&str, &str)]) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut sources = vanc::diag::Sources::new(file, text.as_str());
    let overrides: Vec<vanc::check::Override> = params
        .iter()
        .map(|(name, value)| vanc::check::Override {
            target: vanc::check::OverrideTarget::Param,
            name: name.to_string(),
            value: value.to_string(),
        })
        .collect();
    vanc::check::check(&mut sources, &overrides, false)
        .unwrap_or_else(|mistakes| panic!("{}: {} mistakes", file, mistakes.len()))
}

/// Makes every activation and join an equation that no kernel knows.
fn bend(layers: &mut [Layer]) {
    for layer in layers {
        if let Op::Activation(activation) = &mut layer.op {
            let x = Expr::from(Variable::Element);
            activation.equation = Arc::new(x.clone() * x.apply(Unary::Sigmoid));
        } else if let Op::Skip(skip) = &mut layer.op {
            bend(&mut skip.body);
            let out = Expr::clone(&skip.policy.out);
            skip.policy.out = Arc::new(out.apply(Unary::Sin));
        }
    }
}

/// Asserts that steps of `model` allocate nothing once they have run.
fn check(model: &Model, what: &str) {
    let mut engine = CpuEngine::new(model, &init::initial(model, 0), Cpu::here()).unwrap();
    let batch = Batch {
        images: vec![0.5; 8 * model.input.elements()],
        labels: (0..8).collect(),
    };
    let mut steps = |range: std::ops::Range<u64>| {
        for step in range {
            let context = StepContext {
                rate: 0.01,
                seed: 0,
                step,
            };
            engine.step(&batch, context).unwrap();
        }
    };
    steps(0..2);
    let before = CALLS.load(Ordering::Relaxed);
    steps(2..4);
    let calls = CALLS.load(Ordering::Relaxed) - before;
    assert_eq!(calls, 0, "{what}");
}

#[test]
fn a_step_allocates_nothing() {
    let policies = ["plain", "resnet", "highway", "dirac", "variable"];
    let files = BTreeMap::from([
        ("cifar_8n2.van", ("width", "4")),
        ("mnist_mlp.van", ("depth", "3")),
    ]);
    for (file, size) in files {
        for policy in policies {
            let mut model = model(file, &[size, ("policy", policy)]);
            check(&model, &format!("{file}, {policy}"));
            bend(&mut model.layers);
            check(&model, &format!("{file}, {policy}, bent"));
        }
    }
}
