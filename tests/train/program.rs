//! Tests of the program, ended by signals and resumed.

use crate::support::{best, last, log};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};
use vanc::train::{run_folder, tensorboard};

const SOURCE: &str = "
model killed {
    input image(1, 28, 28)
    linear(24)
    repeat 2 { skip variable { linear(24) batch_norm relu dropout(0.1) } }
    linear(10)
}

train {
    data: synthetic(train: 150, test: 50)
    optimizer: sgd(rate: 0.05, momentum: 0.9)
    constraint: lagrange(every: epoch, alpha_rate: 1, lambda_rate: 0.1)
    epochs: 8
    batch: 8
}
";

/// A folder with the file and its runs.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        std::fs::write(dir.path().join("killed.van"), SOURCE).unwrap();
        Scratch(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Starts the program on a run that saves and logs often; resumes it if it exists.
    fn start(&self, run: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args(["train", "killed.van", "--resume", "--log-every", "3"])
            .args(["--save-every", "0.01", "--threads", "1", "--tensorboard"])
            .args(["--out", run])
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn finish(&self, run: &str) {
        let output = self.start(run).wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{message}");
    }
}

fn wait(mut child: Child) -> ExitStatus {
    child.wait().unwrap()
}

#[test]
fn runs_are_numbered_and_the_newest_is_resumed() {
    let place = Scratch::new();
    let run = |flags: &[&str]| -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args(["train", "killed.van"])
            .args(flags)
            .current_dir(place.path())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let steps = |run: &str| {
        last(&place.path().join("runs").join(run))
            .meta
            .progress
            .step
    };
    // Where there is no run yet, `--resume` begins one.
    let said = run(&["--resume", "--max-steps", "1"]);
    assert!(said.contains("no run to resume in runs/killed"), "{said}");
    run(&["--max-steps", "2"]);
    run(&["--resume", "--max-steps", "3"]);
    assert_eq!((steps("killed"), steps("killed-2")), (1, 3));
    run(&["--resume", "--max-steps", "4", "--out", "runs/killed"]);
    run(&["--resume", "--max-steps", "5"]);
    assert_eq!((steps("killed"), steps("killed-2")), (5, 3));
    run(&["--force", "--max-steps", "2", "--quiet"]);
    assert_eq!((steps("killed"), steps("killed-2")), (2, 3));
    assert_eq!(run(&["--quiet", "--max-steps", "1"]), "");
    assert_eq!(steps("killed-3"), 1);
}

#[test]
fn a_run_goes_on_by_its_folder_alone() {
    let place = Scratch::new();
    let vanc = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args(args)
            .current_dir(place.path())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), error)
    };
    let succeed = |args: &[&str]| assert_eq!(vanc(args), (Some(0), String::new()), "{args:?}");
    let train = [
        "train",
        "killed.van",
        "--batch",
        "10",
        "--order",
        "sequential",
    ];
    succeed(&[&train[..], &["--out", "whole"]].concat());
    succeed(&[&train[..], &["--out", "run", "--max-steps", "20"]].concat());
    // The file is not needed any more, nor is any flag.
    std::fs::remove_file(place.path().join("killed.van")).unwrap();
    succeed(&["train", "--resume", "run", "--max-steps", "33"]);
    succeed(&["train", "--resume", "run"]);
    let (run, whole) = (place.path().join("run"), place.path().join("whole"));
    assert_eq!(last(&run).tensors, last(&whole).tensors);
    // What is allowed is overridden and kept, what is not is named.
    succeed(&[
        "train",
        "run",
        "--resume",
        "--epochs",
        "9",
        "--threads",
        "1",
    ]);
    assert_eq!(last(&run).meta.progress.epoch, 9);
    succeed(&["train", "run", "--resume"]);
    assert_eq!(last(&run).meta.progress.epoch, 9);
    let fails = |args: &[&str], part: &str| {
        let (code, error) = vanc(args);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(part), "{error}");
    };
    fails(
        &["train", "--resume", "run", "--batch", "11"],
        "batch: 10 in the run, 11 by --batch",
    );
    fails(
        &["train", "--resume", "run", "--epochs", "2"],
        "has done 9 epochs, and is to do 2",
    );
    fails(&["train", "run"], "vanc train --resume run");
    fails(
        &["train", "--resume", "run", "--out", "other"],
        "--out is another folder",
    );
    fails(
        &["train", "--resume", "nowhere"],
        "nowhere is neither the folder of a run nor named like a `.van` file",
    );
}

/// Kills a run `kills` times, each after up to a share of the time that the whole run takes,
/// and compares its end with that of an undisturbed run.
fn killed_runs(runs: usize, kills: u32) {
    let place = Scratch::new();
    let begun = Instant::now();
    place.finish("whole");
    let whole_time = begun.elapsed();
    let whole = place.path().join("whole");
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    for run in 0..runs {
        let name = format!("run{run}");
        for _ in 0..kills {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let share = (random >> 40) as f64 / (1u64 << 24) as f64;
            let mut child = place.start(&name);
            sleep(whole_time.mul_f64(share * 1.5 / f64::from(kills)));
            child.kill().unwrap();
            wait(child);
        }
        place.finish(&name);
        let dir = place.path().join(&name);
        assert_eq!(log(&dir), log(&whole), "{name}");
        assert_eq!(last(&dir), last(&whole), "{name}");
        assert_eq!(best(&dir), best(&whole), "{name}");
        assert_events_agree(&place, &name);
    }
}

/// Asserts that the event file has exactly the points of the log: the finished run, resumed,
/// leaves it as it is.
fn assert_events_agree(place: &Scratch, name: &str) {
    let events = tensorboard::path(&place.path().join(name));
    let before = std::fs::read(&events).unwrap();
    place.finish(name);
    assert_eq!(std::fs::read(&events).unwrap(), before);
}

#[test]
fn killing_it_changes_nothing() {
    killed_runs(3, 3);
}

/// Run by `cargo test --test train -- --ignored`.
#[test]
#[ignore = "takes a minute"]
fn killing_it_at_many_moments_changes_nothing() {
    killed_runs(10, 5);
    killed_runs(10, 1);
}

/// Sends `signal` to `child`, as `kill` does.
#[cfg(unix)]
fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_signal_saves_and_says_how_to_go_on() {
    let place = Scratch::new();
    place.finish("whole");
    for (name, code) in [
        ("-INT", 130),
        ("-TERM", 143),
        ("-HUP", 129),
        ("-XCPU", 128 + libc::SIGXCPU),
        ("-USR1", 128 + libc::SIGUSR1),
    ] {
        let run = format!("run{name}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args(["train", "killed.van", "--log-every", "3", "--out", &run])
            .current_dir(place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It listens before the first line of the log.
        let metrics = run_folder::metrics(&place.path().join(&run));
        while std::fs::metadata(&metrics).map_or(0, |m| m.len()) == 0 {
            assert!(
                child.try_wait().unwrap().is_none(),
                "ended before the signal"
            );
            sleep(Duration::from_millis(1));
        }
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let said = String::from_utf8(output.stdout).unwrap();
        let command = said
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("vanc train"))
            .unwrap();
        assert_eq!(command, format!("vanc train --resume {run}"));
        // What it says works.
        let command = command.replacen("vanc", env!("CARGO_BIN_EXE_vanc"), 1);
        let status = Command::new("sh")
            .args(["-c", &format!("{command} --quiet")])
            .current_dir(place.path())
            .status();
        assert!(status.unwrap().success());
        let (dir, whole) = (place.path().join(&run), place.path().join("whole"));
        assert_eq!(log(&dir), log(&whole));
        assert_eq!(last(&dir), last(&whole));
    }
}

/// A full disk behind standard output is told at the end; the run itself is whole.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let place = Scratch::new();
    let train = ["train", "killed.van", "--epochs", "1", "--out", "run"];
    for args in [
        &["--help"][..],
        &["--version"],
        &["train", "--help"],
        &train,
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let output = Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args(args)
            .current_dir(place.path())
            .stdout(full.unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("cannot write to standard output"), "{said}");
    }
    assert_eq!(last(&place.path().join("run")).meta.progress.epoch, 1);
}

/// A file beyond the limit on its size is an error that names it, not a signal that kills.
#[cfg(target_os = "linux")]
#[test]
fn a_file_beyond_its_limit_is_an_error() {
    let place = Scratch::new();
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 8; exec \"$0\" train killed.van --out run"])
        .arg(env!("CARGO_BIN_EXE_vanc"))
        .current_dir(place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said} {:?}", output.status);
    assert!(said.contains("cannot write run/"), "{said}");
}

/// `nohup` starts a program with SIGHUP ignored.
#[cfg(unix)]
#[test]
fn a_hang_up_that_is_ignored_stays_so() {
    let place = Scratch::new();
    let mut child = Command::new("sh")
        .args([
            "-c",
            "trap '' HUP; exec \"$0\" train killed.van --log-every 3 --out run",
        ])
        .arg(env!("CARGO_BIN_EXE_vanc"))
        .current_dir(place.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let metrics = run_folder::metrics(&place.path().join("run"));
    while std::fs::metadata(&metrics).map_or(0, |m| m.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "ended too early");
        sleep(Duration::from_millis(1));
    }
    signal(&child, "-HUP");
    assert!(wait(child).success());
}

/// Batches of which a batch norm would normalise single values are refused once the images are
/// counted, before anything is written.
#[test]
fn a_last_batch_of_one_image_file_is_refused() {
    let scratch = Scratch::new();
    let source = "model m { input image(1, 4, 4) linear(4) batch_norm linear(2) }
        train { data: folder epochs: 1 batch: 2 optimizer: sgd(rate: 0.01) }";
    std::fs::write(scratch.path().join("m.van"), source).unwrap();
    let picture = |place: &str, value: u8| {
        let path = scratch.path().join("images").join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, 4, 4);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[value; 16]).unwrap();
    };
    for (i, class) in ["a", "a", "b", "b", "b"].into_iter().enumerate() {
        picture(&format!("train/{class}/{i}.png"), 50 * i as u8);
        picture(&format!("test/{class}/{i}.png"), 50 * i as u8);
    }
    let train = |batch: &str| {
        Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args(["train", "m.van", "--data-dir", "images", "--batch", batch])
            .current_dir(scratch.path())
            .output()
            .unwrap()
    };
    let refused = train("2");
    let screen = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{screen}");
    assert!(screen.contains("last batch of 1 of 5 images"), "{screen}");
    assert!(
        screen.contains("give --batch 3, or remove the layer"),
        "{screen}"
    );
    assert!(!scratch.path().join("runs").exists());
    let trained = train("3");
    assert!(
        trained.status.success(),
        "{}",
        String::from_utf8_lossy(&trained.stderr)
    );
}
