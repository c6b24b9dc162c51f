//! Tests of the engines of a group, each in a process of its own: this test's program,
//! started again.

use std::process::{Child, Command};
use vanc::check::{Override, OverrideTarget, check};
use vanc::diag::Sources;
use vanc::engines::cuda::{self, Group, GroupId, Precision};
use vanc::engines::{Engine, Images, Order, Outcome, StepContext, init};
use vanc::ir::{Model, Shape};
use vanc::tensor::Batch;

/// Environment variable of a process that is a rank: its number, the number of ranks, the
/// group, and the file for its result.
const RANK: &str = "VANC_TEST_RANK";

/// Layers with batch norm, whose statistics are of the part, and layers for two other kinds
/// of plans.
const NETWORKS: [&str; 3] = [
    "conv(6, kernel: 3) batch_norm relu
     skip variable { conv(6, kernel: 3) batch_norm relu dropout(0.3) } linear(4)",
    "linear(10) skip variable { batch_norm relu linear(10) } linear(4)",
    "linear(12) skip highway { linear(12) tanh } relu linear(4)",
];

const IMAGES: usize = 13;

fn model(layers: &str) -> Model {
    let text = format!("model m {{ input image(3, 6, 5)\n{layers} }}");
    let settings = [(
        "constraint",
        "lagrange(every: epoch, alpha_rate: 1, lambda_rate: 0.1)",
    )];
    let settings = settings.map(|(name, value)| Override {
        target: OverrideTarget::Setting,
        name: name.into(),
        value: value.into(),
    });
    check(
        &mut Sources::new("test.van", text.as_str()),
        &settings,
        false,
    )
    .unwrap_or_else(|_| panic!("{layers} has mistakes"))
}

fn context(step: u64) -> StepContext {
    StepContext {
        rate: 0.02,
        seed: 5,
        step,
    }
}

/// Takes steps on resident images, the last batch of which has one image, then one on a batch
/// that is not resident; returns the outcomes.
fn train(engine: &mut dyn Engine) -> Vec<Outcome> {
    let pixels: Vec<u8> = (0..IMAGES * 90).map(|k| (k * 37 % 251) as u8).collect();
    let labels: Vec<u32> = (0..IMAGES as u32).map(|k| k % 4).collect();
    let mut resident = engine.resident().unwrap();
    let has_room = resident.make_resident(&Images {
        shape: Shape::image(3, 6, 5),
        pixels: &pixels,
        labels: &labels,
        mean: &[0.4, 0.5, 0.6],
        deviation: &[0.2, 0.25, 0.3],
        batch: 6,
        augment: &[],
    });
    assert!(has_room.unwrap());
    let order = Order {
        images: (0..IMAGES as u32).rev().collect(),
        changes: Vec::new(),
    };
    resident.begin_epoch(&order).unwrap();
    for index in 0..3 {
        resident.queue(index, context(index as u64)).unwrap();
    }
    let mut found = resident.outcomes().unwrap();
    drop(resident);
    engine.end_epoch(0.02).unwrap();
    let batch = Batch {
        images: (0..5 * 90).map(|k| (k % 17) as f32 / 17.0).collect(),
        labels: vec![3, 0, 1, 1, 2],
    };
    found.push(engine.step(&batch, context(3)).unwrap());
    found
}

/// Formats the final state of an engine as lines: outcomes and tensors, to the last bit.
fn written(engine: &dyn Engine, found: &[Outcome]) -> String {
    let outcome = |found: &Outcome| format!("loss {} {}", found.loss, found.correct);
    let mut lines: Vec<String> = found.iter().map(outcome).collect();
    for tensor in engine.save().unwrap() {
        let bits = tensor.data.iter().map(|x| x.to_bits().to_string());
        let bits: Vec<String> = bits.collect();
        lines.push(format!("{} {}", tensor.name, bits.join(" ")));
    }
    lines.join("\n")
}

/// Lines that are the same in all ranks: all but the statistics of their own images.
fn shared(text: &str) -> Vec<&str> {
    let lines = text.lines();
    lines.filter(|line| !line.contains("running_")).collect()
}

/// Whether this program was started as a rank.
pub fn is_rank() -> bool {
    std::env::var_os(RANK).is_some()
}

/// Trains as the rank that this program was started as.
pub fn rank() {
    let text = std::env::var(RANK).expect("a rank");
    let words: Vec<&str> = text.splitn(5, ' ').collect();
    let number = |at: usize| words[at].parse::<usize>().unwrap();
    let (rank, size) = (number(0), number(1));
    let bytes: Vec<u8> = words[3].split(',').map(|x| x.parse().unwrap()).collect();
    let id = GroupId(bytes.try_into().unwrap());
    let group = Group { id, rank, size };
    let model = model(NETWORKS[number(2)]);
    let card = cuda::usable(Some(rank % cuda::count().unwrap())).unwrap();
    let tensors = init::initial(&model, 4);
    let engine = cuda::engine_in(&group, &card, Precision::F32, &model, &tensors);
    let mut engine = engine.unwrap();
    let found = train(engine.as_mut());
    std::fs::write(words[4], written(engine.as_ref(), &found)).unwrap();
}

/// Runs each rank of a group; returns their results.
fn together(size: usize, network: usize) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let id = GroupId::new().unwrap();
    let id = id.0.map(|x| x.to_string()).join(",");
    let file = |rank: usize| dir.path().join(rank.to_string());
    let start = |rank: usize| -> Child {
        let path = file(rank);
        let said = format!("{rank} {size} {network} {id} {}", path.display());
        Command::new(std::env::current_exe().unwrap())
            .env(RANK, said)
            .spawn()
            .unwrap()
    };
    let children: Vec<Child> = (0..size).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let read = |rank| std::fs::read_to_string(file(rank)).unwrap();
    (0..size).map(read).collect()
}

fn alone(network: usize) -> (Vec<Outcome>, String) {
    let model = model(NETWORKS[network]);
    let card = cuda::usable(None).unwrap();
    let tensors = init::initial(&model, 4);
    let mut engine = cuda::engine(&card, Precision::F32, &model, &tensors).unwrap();
    let found = train(engine.as_mut());
    let text = written(engine.as_ref(), &found);
    (found, text)
}

pub fn all_ranks_end_with_the_same_weights() {
    let cards = cuda::count().unwrap();
    for network in 0..NETWORKS.len() {
        for size in [2, 3] {
            if cards > 1 && cards < size {
                continue;
            }
            let ranks = together(size, network);
            for other in &ranks[1..] {
                assert_eq!(shared(other), shared(&ranks[0]), "network {network}");
            }
        }
    }
}

pub fn parts_lose_together_what_the_whole_does() {
    let (found, _) = alone(2);
    let ranks = together(2, 2);
    for (line, expected) in ranks[1].lines().zip(&found) {
        let words: Vec<&str> = line.split(' ').collect();
        let loss: f64 = words[1].parse().unwrap();
        assert!((loss - expected.loss).abs() < 1e-5, "{loss} {expected:?}");
        assert_eq!(words[2], expected.correct.to_string());
    }
}

pub fn a_group_of_one_is_exact() {
    for network in 0..NETWORKS.len() {
        assert_eq!(together(1, network)[0], alone(network).1);
    }
}
