//! Tests of the program, started several times as a launcher would.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};
use vanc::engines::cuda;
use vanc::tensor::Tensor;
use vanc::train::checkpoint::Checkpoint;
use vanc::train::metrics::{self, Line};
use vanc::train::run_folder;

/// A network without batch norm, for which the parts of a batch add up to the whole. Its last
/// batch of an epoch has one image, so that all ranks but the first have none.
const SOURCE: &str = "
model together {
    input image(1, 28, 28)
    conv(4, kernel: 3, stride: 3)
    relu
    linear(24)
    repeat 2 { skip variable { linear(24) relu dropout(0.2) } }
    linear(10)
}

train {
    data: synthetic(train: 43, test: 30, augment: [pad_crop(2), flip_horizontal])
    optimizer: sgd(rate: 0.002, momentum: 0.9)
    constraint: lagrange(every: epoch, alpha_rate: 1)
    epochs: 2
    batch: 7
}
";

struct Scratch(TempDir);

impl Scratch {
    fn new() -> Scratch {
        let dir = tempdir().unwrap();
        std::fs::write(dir.path().join("together.van"), SOURCE).unwrap();
        Scratch(dir)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Makes the command that trains alone in the folder `out`.
    fn command(&self, out: &str, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vanc"));
        command
            .args(["train", "together.van", "--threads", "1", "--out", out])
            .args(flags)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in ["RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_STEP_ID"] {
            command.env_remove(name);
        }
        command
    }

    /// Starts rank `rank` of `size` that meet at `port`.
    fn rank(&self, (rank, size, port): (usize, usize, u16), out: &str, flags: &[&str]) -> Child {
        let numbers = [("RANK", rank), ("WORLD_SIZE", size), ("LOCAL_RANK", rank)];
        self.command(out, &["--device", "cuda", "--precision", "f32"])
            .args(flags)
            .envs(numbers.map(|(name, number)| (name, number.to_string())))
            .env("MASTER_ADDR", "127.0.0.1")
            .env("MASTER_PORT", port.to_string())
            .spawn()
            .unwrap()
    }

    /// Starts all ranks, the first last.
    fn start(&self, size: usize, out: &str, flags: &[&str]) -> Vec<Child> {
        let port = free_port();
        let ranks = (0..size).rev();
        ranks
            .map(|rank| self.rank((rank, size, port), out, flags))
            .collect()
    }

    fn train_together(&self, size: usize, out: &str, flags: &[&str]) {
        for child in self.start(size, out, flags) {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
        }
    }

    fn train_alone(&self, out: &str) {
        let flags = ["--device", "cuda", "--precision", "f32", "--log-every", "1"];
        let output = self.command(out, &flags).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }

    fn log(&self, out: &str) -> Vec<Line> {
        metrics::read(&run_folder::metrics(&self.path(out))).unwrap()
    }

    fn last(&self, out: &str) -> Checkpoint {
        Checkpoint::read(&run_folder::last(&self.path(out))).unwrap()
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn close(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(
        error <= 1e-4 * (1.0 + expected.abs()),
        "{what}: {found} is not {expected}"
    );
}

fn same_tensors(found: &[Tensor], expected: &[Tensor]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.name, expected.name);
        for (a, b) in found.data.iter().zip(&expected.data) {
            close((*a).into(), (*b).into(), &found.name);
        }
    }
}

pub fn several_processes_train_what_one_does() {
    let place = Scratch::new();
    place.train_alone("alone");
    let expected = place.log("alone");
    assert_eq!(expected.len(), 2 * 7 + 2);
    for size in [2, 3] {
        if cuda::count().unwrap() > 1 && cuda::count().unwrap() < size {
            continue;
        }
        let out = format!("by{size}");
        place.train_together(size, &out, &["--log-every", "1"]);
        let found = place.log(&out);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            let what = format!("{size} processes, step {}", expected.step);
            assert_eq!((found.split, found.step), (expected.split, expected.step));
            close(found.loss, expected.loss, &what);
            close(found.accuracy, expected.accuracy, &what);
            let residual = |line: &Line| line.alpha_residual.unwrap();
            close(residual(found), residual(expected), &what);
        }
        same_tensors(&place.last(&out).tensors, &place.last("alone").tensors);
    }
}

#[cfg(unix)]
pub fn a_signal_to_one_stops_all_with_a_checkpoint_that_goes_on() {
    let place = Scratch::new();
    let flags = ["--epochs", "100000", "--save-every", "0.2"];
    let children = place.start(2, "run", &flags);
    let last = run_folder::last(&place.path("run"));
    let begun = Instant::now();
    while !last.exists() || place.last("run").meta.progress.step == 0 {
        assert!(begun.elapsed() < Duration::from_secs(120));
        sleep(Duration::from_millis(50));
    }
    // The one that does not write.
    signal(children[0].id(), "-TERM");
    for child in children {
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(143));
    }
    let step = place.last("run").meta.progress.step;
    let next = (step + 9).to_string();
    let flags = ["--epochs", "100000", "--resume", "--max-steps", &next];
    place.train_together(2, "run", &flags);
    assert_eq!(place.last("run").meta.progress.step, step + 9);
}

#[cfg(unix)]
fn signal(process: u32, name: &str) {
    let status = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

pub fn one_that_is_killed_ends_the_others() {
    for victim in [0, 1] {
        let place = Scratch::new();
        let mut children = place.start(2, "run", &["--epochs", "100000"]);
        let begun = Instant::now();
        while !run_folder::last(&place.path("run")).exists() {
            assert!(begun.elapsed() < Duration::from_secs(120));
            sleep(Duration::from_millis(50));
        }
        let mut killed = children.remove(victim);
        killed.kill().unwrap();
        killed.wait().unwrap();
        let output = children.remove(0).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        // They were started from the last rank on.
        let lost = format!("rank {} is lost", 1 - victim);
        assert!(said(&output).contains(&lost), "{}", said(&output));
        place.last("run");
    }
}

pub fn other_settings_are_refused_by_name() {
    let place = Scratch::new();
    let port = free_port();
    let second = place.rank((1, 2, port), "run", &["--batch", "9"]);
    let first = place.rank((0, 2, port), "run", &[]);
    for child in [first, second] {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let what = "batch: 7 in the run, 9 here";
        assert!(said(&output).contains(what), "{}", said(&output));
    }
    assert!(!place.path("run").exists());
}

pub fn without_the_library_it_is_named() {
    let place = Scratch::new();
    let child = place.rank((0, 2, free_port()), "run", &[]);
    let output = child.wait_with_output().unwrap();
    assert!(said(&output).contains("libnccl.so.2"), "{}", said(&output));
    assert!(
        said(&output).contains("nvidia-nccl-cu13"),
        "{}",
        said(&output)
    );
}

pub fn processors_train_in_one_process() {
    let place = Scratch::new();
    let world = [
        ("RANK", "1"),
        ("WORLD_SIZE", "2"),
        ("LOCAL_RANK", "1"),
        ("MASTER_ADDR", "127.0.0.1"),
        ("MASTER_PORT", "1"),
    ];
    for flags in [
        ["--device", "cpu"],
        ["--engine", "dfdx"],
        ["--engine", "cpu"],
    ] {
        let output = place.command("run", &flags).envs(world).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said(&output).contains("give --device cuda"),
            "{}",
            said(&output)
        );
    }
    let half = place.command("run", &[]).env("RANK", "0").output().unwrap();
    assert!(said(&half).contains("WORLD_SIZE is not"), "{}", said(&half));
    assert!(!place.path("run").exists());
}

pub fn a_world_of_one_is_no_world() {
    let place = Scratch::new();
    let flags = ["--device", "cpu", "--max-steps", "5"];
    let one = [("RANK", "0"), ("WORLD_SIZE", "1")];
    let train = |mut command: Command| assert!(command.output().unwrap().status.success());
    train(place.command("none", &flags));
    let mut command = place.command("one", &flags);
    command.envs(one);
    train(command);
    assert_eq!(place.last("one").tensors, place.last("none").tensors);
}
