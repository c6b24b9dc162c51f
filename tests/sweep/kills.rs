//! Tests of sweeps that are ended by signals, at any moment, and started again.

use super::{Scratch, text};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Sends `signal` to a process, or with `-` before its number to its group.
fn signal(signal: &str, whom: &str) {
    // It may have ended already.
    let _ = Command::new("kill")
        .args([signal, "--", whom])
        .stderr(Stdio::null())
        .status();
}

/// Starts a sweep in a process group of its own.
fn start(place: &Scratch, flags: &[&str]) -> Child {
    let mut command = place.command(flags);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    command.spawn().unwrap()
}

/// Waits until some run of the sweep has written to its log.
fn wait_for_a_run(place: &Scratch, sweep: &str) {
    let begun = Instant::now();
    let trains = |run: &String| {
        let metrics = place
            .join(sweep)
            .join("runs")
            .join(run)
            .join("metrics.jsonl");
        std::fs::metadata(metrics).is_ok_and(|m| m.len() > 0)
    };
    while !super::runs(&place.join(sweep)).iter().any(trains) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "no run has begun"
        );
        sleep(Duration::from_millis(1));
    }
}

/// Kills a sweep with these flags `kills` times, the parent alone and the whole group by
/// turns, each after up to twice its share of the time that the whole sweep takes; then
/// compares the final table with that of an undisturbed sweep.
fn killed(flags: &[&str], kills: u32) {
    let place = Scratch::new();
    let begun = Instant::now();
    place.succeed(&[flags, &["--out", "whole"]].concat());
    let time = begun.elapsed();
    let flags = [flags, &["--save-every", "0.02", "--out", "parts"]].concat();
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    for kill in 0..kills {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let share = (random >> 40) as f64 / (1u64 << 24) as f64;
        let mut child = start(&place, &flags);
        sleep(time.mul_f64(share * 2.0 / f64::from(kills + 1)));
        match kill % 2 {
            0 => child.kill().unwrap(),
            _ => signal("-KILL", &format!("-{}", child.id())),
        }
        child.wait().unwrap();
    }
    place.succeed(&flags);
    assert_eq!(place.results("parts"), place.results("whole"));
}

#[test]
fn killing_a_sweep_changes_nothing() {
    killed(
        &[
            "--vary",
            "depth=1,2,3",
            "--vary",
            "policy=plain,variable",
            "--seeds",
            "2",
        ],
        4,
    );
}

/// Run by `cargo test --release --test sweep -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn killing_a_sweep_of_sixty_runs_five_times_changes_nothing() {
    let grid = [
        "--vary",
        "depth=1,2,4,8",
        "--vary",
        "policy=plain,highway,variable",
        "--seeds",
        "5",
    ];
    for epochs in ["8", "30"] {
        killed(&[&grid[..], &["--epochs", epochs]].concat(), 5);
    }
}

/// Children of a parent that was killed alone save and end; the next start waits for them.
#[test]
fn no_child_outlives_its_sweep_for_long() {
    let place = Scratch::new();
    let flags = ["--seeds", "2", "--epochs", "1000000", "--out", "s"];
    let mut child = start(&place, &flags);
    wait_for_a_run(&place, "s");
    child.kill().unwrap();
    child.wait().unwrap();
    let group = format!("-{}", child.id());
    let begun = Instant::now();
    let is_there = || {
        Command::new("kill")
            .args(["-0", "--", &group])
            .stderr(Stdio::null())
            .status()
    };
    while is_there().unwrap().success() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "a child goes on for ever"
        );
        sleep(Duration::from_millis(10));
    }
    let log = std::fs::read_to_string(place.join("s/runs/seed=0/log.txt")).unwrap();
    assert!(log.contains("stopped after step"), "{log}");
}

#[test]
fn a_signal_stops_all_and_says_how_to_go_on() {
    let place = Scratch::new();
    let flags = [
        "--vary",
        "depth=1,2",
        "--seeds",
        "2",
        "--epochs",
        "60",
        "--out",
    ];
    place.succeed(&[&flags[..], &["whole"]].concat());
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let sweep = format!("sweep{name}");
        let child = start(&place, &[&flags[..], &[&sweep]].concat());
        wait_for_a_run(&place, &sweep);
        signal(name, &child.id().to_string());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let said = text(&output.stdout);
        let command = said
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("vanc sweep"));
        let command = command.unwrap_or_else(|| panic!("{said}"));
        assert!(place.results(&sweep).contains(",missing,"));
        assert!(!place.results(&sweep).contains(",failed,"));
        // What it says works.
        let command = command.replacen("vanc", env!("CARGO_BIN_EXE_vanc"), 1);
        let status = Command::new("sh")
            .args(["-c", &format!("{command} --quiet")])
            .current_dir(place.join(""))
            .status();
        assert!(status.unwrap().success());
        assert_eq!(place.results(&sweep), place.results("whole"));
    }
}

#[test]
fn a_second_sweep_in_the_folder_is_refused() {
    let place = Scratch::new();
    let flags = ["--seeds", "2", "--epochs", "1000000", "--out", "s"];
    let mut child = start(&place, &flags);
    wait_for_a_run(&place, "s");
    for shard in [&[][..], &["--shard", "1/2"]] {
        let error = place.fail(&[&flags[..], shard].concat());
        assert!(error.contains("another sweep is under way in s"), "{error}");
    }
    signal("-TERM", &child.id().to_string());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

/// Kills one run, as a lack of memory would; the others go on.
#[test]
fn a_child_that_is_killed_is_one_failure() {
    let place = Scratch::new();
    let flags = [
        "--seeds", "2", "--epochs", "1000000", "--jobs", "2", "--out", "s",
    ];
    let mut child = start(&place, &flags);
    wait_for_a_run(&place, "s");
    let parent = child.id().to_string();
    let found = Command::new("pgrep")
        .args(["-P", &parent, "-f", "seed=1"])
        .output()
        .unwrap();
    let found = text(&found.stdout);
    signal("-KILL", found.trim());
    let failed = || std::fs::read_to_string(place.join("s/runs/seed=1/outcome.json"));
    let begun = Instant::now();
    while failed().is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the failure is not noted"
        );
        sleep(Duration::from_millis(10));
    }
    signal("-TERM", &parent);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let table = place.results("s");
    assert!(
        table.contains("0,missing") && table.contains("1,failed"),
        "{table}"
    );
    assert!(table.contains("signal: 9"), "{table}");
}
