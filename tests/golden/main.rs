//! Test that training gives the bits that it gave when `hashes.txt` was written.
//!
//! Each line of `hashes.txt` is one training of twenty steps: a file, a policy, an engine
//! with its instruction set, and the hash of all losses and of the tensors at the end. A
//! line changes only with a deliberate change of the arithmetic, in a commit of its own:
//! `VANC_GOLDEN=write cargo test --release --test golden` writes the file anew.

#[path = "../needs/mod.rs"]
mod needs;

use needs::{Need, case};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use vanc::engines::cpu::kernels::Isa;
use vanc::train::checkpoint::Checkpoint;
use vanc::train::run_folder;

const POLICIES: &[&str] = &[
    "plain",
    "resnet",
    "resnet(scale: 0.5)",
    "highway",
    "dirac",
    "variable",
    "variable(lambda: 0)",
    "variable(form: convex)",
];

/// A file, the flags that make it small, and whether `--policy` is a flag of it.
struct Subject {
    file: &'static str,
    flags: &'static [&'static str],
    has_policy: bool,
}

const fn subject(file: &'static str, flags: &'static [&'static str], has_policy: bool) -> Subject {
    Subject {
        file,
        flags,
        has_policy,
    }
}

/// The paper's rates, taken literally.
const LITERAL: &str = "lagrange(alpha_rate: 1, lambda_rate: 0.1)";

/// Rates of the paper's CNNs with which skips last half of a training of 165 epochs.
const SLOW: &str = "lagrange(lambda: 0, alpha_rate: 150, lambda_rate: 0.0004, every: epoch)";

// Rates of the constraint are given: those that follow from a time change with the schedule.
const SUBJECTS: &[Subject] = &[
    subject(
        "examples/cifar_8n2.van",
        &["--n", "1", "--width", "4", "--constraint", SLOW],
        true,
    ),
    subject(
        "examples/cifar100_8n2.van",
        &[
            "--n",
            "1",
            "--width",
            "4",
            "--classes",
            "10",
            "--constraint",
            SLOW,
        ],
        true,
    ),
    subject(
        "examples/deep_mlp.van",
        &[
            "--depth",
            "3",
            "--constraint",
            "lagrange(alpha_rate: 0.05, lambda_rate: 0.05)",
        ],
        true,
    ),
    subject(
        "examples/densenet.van",
        &["--depth", "7", "--growth", "4"],
        false,
    ),
    subject(
        "examples/diracnet.van",
        &["--n", "1", "--width", "4"],
        false,
    ),
    subject("examples/fashion_mlp.van", &["--depth", "3"], true),
    subject(
        "examples/highway.van",
        &["--depth", "3", "--constraint", LITERAL],
        true,
    ),
    subject("examples/mnist_mlp.van", &["--depth", "3"], true),
    subject(
        "examples/quickstart.van",
        &[
            "--width",
            "4",
            "--constraint",
            "lagrange(alpha_rate: 0.05, lambda_rate: 0.12)",
        ],
        true,
    ),
    subject(
        "examples/wide_resnet.van",
        &[
            "--n",
            "1",
            "--k",
            "1",
            "--constraint",
            "lagrange(alpha_rate: 0.1, lambda_rate: 0.1, every: epoch)",
        ],
        true,
    ),
    subject("tests/golden/layers.van", &[], true),
    subject("tests/golden/units.van", &[], true),
    subject("tests/golden/vectors.van", &[], true),
];

/// Training of the test.
struct Case {
    subject: &'static Subject,
    policy: Option<&'static str>,
    engine: &'static str,
    isa: &'static str,
}

impl Case {
    fn name(&self) -> String {
        let stem = Path::new(self.subject.file).file_stem().expect("a name");
        let policy = self.policy.unwrap_or("-").replace(' ', "");
        let stem = stem.to_string_lossy();
        format!("{stem} {policy} {} {}", self.engine, self.isa)
    }
}

fn cases(engine: &'static str, isa: &'static str) -> Vec<Case> {
    let mut cases = Vec::new();
    for subject in SUBJECTS {
        let policies: Vec<Option<&str>> = match subject.has_policy {
            true => POLICIES.iter().copied().map(Some).collect(),
            false => vec![None],
        };
        cases.extend(policies.into_iter().map(|policy| Case {
            subject,
            policy,
            engine,
            isa,
        }));
    }
    cases
}

/// Trains twenty steps in `folder` and hashes the result.
fn train(case: &Case, folder: &Path) -> String {
    let run = folder.join(case.name().replace([' ', '(', ')', ':'], "_"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_vanc"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("VANC_ISA", case.isa)
        .args(["train", case.subject.file, "--engine", case.engine])
        .args(["--device", "cpu", "--threads", "1", "--quiet"])
        .args(["--data", "synthetic(train: 48, test: 8)", "--batch", "7"])
        .args(["--epochs", "3", "--max-steps", "20", "--log-every", "1"])
        .args(case.subject.flags)
        .arg("--out")
        .arg(&run);
    if let Some(policy) = case.policy {
        command.args(["--policy", policy]);
    }
    let output = command.output().expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("not finite") {
        // A policy that diverges at the file's rate is bits, too.
        return format!("diverges {}", &digest(error.as_bytes())[..16]);
    }
    assert!(output.status.success(), "{}: {error}", case.name());
    let mut hash = Sha256::new();
    let log = std::fs::read_to_string(run.join("metrics.jsonl")).expect("a log");
    for line in log.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for key in ["step", "loss", "test_loss", "alpha_residual"] {
            hash.update(format!("{key}={} ", record[key]));
        }
    }
    let last = run_folder::last(&run);
    let mut tensors = Checkpoint::read(&last).expect("a checkpoint").tensors;
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    // The optimizer's own tensors may be renamed; what they do is in the losses.
    for tensor in tensors.iter().filter(|tensor| !tensor.name.contains('/')) {
        hash.update(format!("{} {:?}", tensor.name, tensor.shape));
        tensor
            .data
            .iter()
            .for_each(|x| hash.update(x.to_le_bytes()));
    }
    hex(&hash.finalize())[..16].to_string()
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hashes_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hashes.txt")
}

/// Reads the lines of `hashes.txt`, by the name of the case.
fn committed() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(hashes_file()).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    lines
        .map(|(name, hash)| (name.into(), hash.into()))
        .collect()
}

/// Computes the hash of every case, on as many threads as there are processors.
fn computed(cases: Vec<Case>) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = Mutex::new(cases.into_iter());
    let found = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = cases.lock().expect("no panic").next();
                    let Some(case) = next else { break };
                    let hash = train(&case, folder.path());
                    found.lock().expect("no panic").insert(case.name(), hash);
                }
            });
        }
    });
    found.into_inner().expect("no panic")
}

/// Compares the trainings of one engine and instruction set with `hashes.txt`, or writes
/// their lines of it anew.
fn check(engine: &'static str, isa: &'static str) {
    let found = computed(cases(engine, isa));
    let mut hashes = committed();
    if std::env::var("VANC_GOLDEN").is_ok_and(|value| value == "write") {
        hashes.extend(found);
        let lines = hashes
            .iter()
            .map(|(name, hash)| format!("{name}: {hash}\n"));
        std::fs::write(hashes_file(), lines.collect::<String>()).expect("a file to write");
        return;
    }
    let other = found
        .iter()
        .filter(|(name, hash)| hashes.get(*name) != Some(hash));
    let other: Vec<_> = other.map(|(name, _)| name.as_str()).collect();
    assert!(
        other.is_empty(),
        "{} of {} trainings give other bits: {}",
        other.len(),
        found.len(),
        other.join(", ")
    );
}

/// An instruction set of the processor.
fn instructions(name: &str) -> Need {
    match Isa::all().any(|isa| isa.to_string() == name) {
        true => Ok(()),
        false => Err(format!("a processor with {name}")),
    }
}

fn main() -> std::process::ExitCode {
    needs::run(vec![
        case("cpu_avx512", &instructions("avx512"), || {
            check("cpu", "avx512")
        }),
        case("cpu_avx2", &instructions("avx2"), || check("cpu", "avx2")),
        case("cpu_portable", &Ok(()), || check("cpu", "portable")),
        // Its products are those of the processor's own instruction set.
        case("dfdx_avx512", &instructions("avx512"), || {
            check("dfdx", "avx512")
        }),
    ])
}
