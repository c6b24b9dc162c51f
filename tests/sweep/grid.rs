//! Tests of sweeps: which runs are made, which are not, and their results.

use super::{Scratch, runs, sessions, text};
use serde_json::{Value, json};
use std::process::Stdio;

const GRID: [&str; 6] = [
    "--vary",
    "depth=1,2",
    "--vary",
    "policy=plain,variable(lambda: 0)",
    "--seeds",
    "2",
];

/// Appends other flags to `GRID`.
fn grid<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    [&GRID, flags].concat()
}

#[test]
fn a_sweep_leaves_a_table_and_what_it_takes_to_repeat_it() {
    let place = Scratch::new();
    let flags = grid(&["--epochs", "2", "--out", "all"]);
    let said = place.succeed(&flags);
    assert!(said.contains("8 runs: 8 done"), "{said}");
    let table = place.results("all");
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.rsplit(',').collect()).collect();
    assert_eq!(rows.len(), 9);
    for (row, (depth, seed)) in rows[1..]
        .iter()
        .zip([1, 1, 1, 1, 2, 2, 2, 2].into_iter().zip([0, 1].repeat(4)))
    {
        // From the right: error, alpha, best epoch, best, test accuracy and loss, …
        assert_eq!((row[0], row[8], row[9]), ("", "2", "done"));
        assert_eq!(
            (row[10], row[12]),
            (seed.to_string().as_str(), depth.to_string().as_str())
        );
        let accuracy: f64 = row[4].parse().unwrap();
        assert!((0.0..=1.0).contains(&accuracy));
    }
    let settings = std::fs::read(place.join("all/sweep.json")).unwrap();
    let settings: Value = serde_json::from_slice(&settings).unwrap();
    assert_eq!(
        settings,
        json!({
            "version": 1,
            "file": "small.van",
            "axes": [
                {"name": "depth", "values": ["1", "2"]},
                {"name": "policy", "values": ["plain", "variable(lambda: 0)"]},
            ],
            "seeds": [0, 1],
            "options": {"epochs": "2"},
        })
    );
    let copy = std::fs::read_to_string(place.join("all/small.van")).unwrap();
    assert_eq!(copy, super::SOURCE);
    // Again: nothing is done twice, and nothing changes.
    let said = place.succeed(&flags);
    assert!(said.contains("0 of them left to do"), "{said}");
    assert_eq!(sessions(&place.join("all")), 8);
    assert_eq!(place.results("all"), table);
    // Repeated elsewhere, otherwise shared out: the same to the last digit.
    place.succeed(&grid(&["--epochs", "2", "--out", "again", "--jobs", "1"]));
    assert_eq!(place.results("again"), table);
}

#[test]
fn only_what_is_missing_is_done() {
    let place = Scratch::new();
    let flags = grid(&["--epochs", "1", "--out", "s"]);
    place.succeed(&flags);
    let table = place.results("s");
    let [first, second] = [0, 3].map(|i| place.join("s/runs").join(&runs(&place.join("s"))[i]));
    std::fs::remove_dir_all(&first).unwrap();
    std::fs::write(second.join("outcome.json"), "{\"status\"").unwrap();
    let said = place.succeed(&flags);
    assert!(said.contains("2 of them left to do"), "{said}");
    // The second found that it was done.
    assert_eq!(sessions(&place.join("s")), 9);
    assert_eq!(place.results("s"), table);
}

#[test]
fn values_and_seeds_can_be_added_and_nothing_else() {
    let place = Scratch::new();
    let sweep = |depths: &str, seeds: &str, epochs: &str| {
        let depths = format!("depth={depths}");
        let flags = [
            "--vary", &depths, "--seeds", seeds, "--epochs", epochs, "--out", "s",
        ];
        place.run(&flags)
    };
    assert!(sweep("1,3", "1", "1").status.success());
    assert!(sweep("1,2,3", "0,5", "1").status.success());
    assert_eq!(sessions(&place.join("s")), 6);
    let table = place.results("s");
    for (depths, seeds, epochs, named) in [
        ("1,2", "0,5", "1", "depth 3 is there, not here"),
        ("1,2,3", "1", "1", "seed 5 is there, not here"),
        ("1,2,3", "0,5", "2", "--epochs is 1 there, 2 here"),
    ] {
        let output = sweep(depths, seeds, epochs);
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(error.contains(named), "{error}");
    }
    let source = format!("{}// more\n", super::SOURCE);
    std::fs::write(place.join("small.van"), source).unwrap();
    let error = text(&sweep("1,2,3", "0,5", "1").stderr);
    assert!(error.contains("small.van has changed"), "{error}");
    assert_eq!(place.results("s"), table);
}

#[test]
fn a_failure_is_one_rows_and_is_tried_again() {
    let place = Scratch::new();
    let flags = ["--vary", "rate=0.01,1e30", "--epochs", "2", "--out", "s"];
    for session in 1..=2 {
        place.fail(&flags);
        let table = place.results("s");
        let rows: Vec<&str> = table.lines().collect();
        assert!(rows[1].contains(",0.01,7,done,2,"), "{table}");
        assert!(rows[2].contains(",1e30,7,failed,,"), "{table}");
        assert!(
            rows[2].contains("finite") || rows[2].contains("NaN"),
            "{table}"
        );
        assert!(rows[2].contains("(exit status: 1)"), "{table}");
        assert_eq!(sessions(&place.join("s")), 1 + session);
    }
}

#[test]
fn every_mistake_is_found_before_a_run_begins() {
    let place = Scratch::new();
    let screen = |flags: &[&str]| place.fail(&[flags, &["--out", "s"]].concat());
    let said = screen(&[
        "--vary",
        "depth=1,10",
        "--vary",
        "policy=plain,resnt",
        "--seeds",
        "2",
    ]);
    assert!(said.contains("in depth=1 policy=resnt:"), "{said}");
    assert!(said.contains("in depth=10 policy=plain:"), "{said}");
    assert!(said.contains("`--depth 10` is out of range"), "{said}");
    let said = screen(&["--vary", "depht=1"]);
    assert!(said.contains("did you mean `depth`?"), "{said}");
    let said = screen(&["--vary", "data=synthetic,mnist"]);
    assert!(said.contains("mnist needs the file"), "{said}");
    let said = screen(&["--vary", "augment=on,of"]);
    assert!(said.contains("possible values: on, off"), "{said}");
    assert!(!place.join("s").exists());
}

/// Starts a sweep over `GRID`.
fn start(place: &Scratch, flags: &[&str]) -> std::process::Child {
    let mut command = place.command(&grid(flags));
    command.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn shards_make_the_whole_in_any_order() {
    let place = Scratch::new();
    place.succeed(&grid(&["--epochs", "1", "--out", "whole"]));
    let children: Vec<_> = ["2/3", "1/3", "3/3"]
        .map(|shard| {
            start(
                &place,
                &["--epochs", "1", "--out", "parts", "--shard", shard],
            )
        })
        .into();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(sessions(&place.join("parts")), 8);
    assert_eq!(place.results("parts"), place.results("whole"));
}

/// Two sweeps that have runs in common divide them between themselves.
#[test]
fn shards_that_overlap_do_no_run_twice() {
    let place = Scratch::new();
    let children: Vec<_> = ["1/1", "1/1", "2/2"]
        .map(|shard| start(&place, &["--out", "s", "--shard", shard]))
        .into();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(sessions(&place.join("s")), 8);
    assert_eq!(place.results("s").matches(",done,").count(), 8);
}

#[cfg(unix)]
#[test]
fn the_scripts_do_the_sweep() {
    let place = Scratch::new();
    place.succeed(&grid(&["--epochs", "1", "--out", "whole"]));
    let emit = |target| {
        let flags = [
            "--epochs",
            "1",
            "--out",
            "parts",
            "--emit",
            target,
            "--shards=3",
        ];
        place.succeed(&grid(&flags))
    };
    let slurm = emit("slurm");
    assert!(slurm.contains("#SBATCH --array=1-3\n"), "{slurm}");
    assert!(slurm.contains("#SBATCH --cpus-per-task=2\n"), "{slurm}");
    assert!(!place.join("parts").exists());
    let script = |name: &str, text: &str, args: &[&str], task: &str| {
        std::fs::write(place.join(name), text).unwrap();
        let status = std::process::Command::new("sh")
            .arg(place.join(name))
            .args(args)
            .env("SLURM_ARRAY_TASK_ID", task)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    };
    script("sweep.slurm", &slurm, &[], "2");
    assert_eq!(place.results("parts").matches(",done,").count(), 2);
    let shell = emit("shell");
    script("sweep.sh", &shell, &["3"], "");
    assert_eq!(place.results("parts").matches(",done,").count(), 5);
    script("sweep.sh", &shell, &[], "");
    assert_eq!(place.results("parts"), place.results("whole"));
    assert_eq!(sessions(&place.join("parts")), 8);
}

#[test]
fn a_script_for_slurm_says_what_it_needs_and_asks_nothing_of_this_host() {
    let place = Scratch::new();
    let of = |flags: &[&str]| {
        let all = [&["--vary", "depth=1,2", "--emit", "slurm"], flags].concat();
        place.succeed(&all)
    };
    let script = of(&["--device", "cuda", "--time=1-12", "--mem", "2GiB"]);
    for line in [
        "--gpus-per-task=1",
        "--ntasks=1",
        "--time=1-12",
        "--mem=2048M",
    ] {
        assert!(script.contains(&format!("#SBATCH {line}\n")), "{script}");
    }
    let command = script
        .lines()
        .find(|line| line.contains(" sweep small.van"));
    let command = command.unwrap();
    assert!(command.contains("--device cuda"), "{command}");
    assert!(
        !command.contains("--time") && !command.contains("--mem"),
        "{command}"
    );
    let script = of(&["--gpus-per-task", "4", "--partition", "gpu,long"]);
    assert!(script.contains("#SBATCH --gpus-per-task=4\n"), "{script}");
    assert!(
        script.contains("#SBATCH --partition=gpu,long\n"),
        "{script}"
    );
}

#[test]
fn flags_of_scripts_are_refused_where_they_say_nothing() {
    let place = Scratch::new();
    let of = |flags: &[&str]| place.fail(&[&["--vary", "depth=1,2"], flags].concat());
    for (flags, words) in [
        (&["--time", "10"][..], "--time is about a script"),
        (&["--shards", "3"], "--shards is about a script"),
        (
            &["--emit", "shell", "--mem", "2GB"],
            "--mem is said to Slurm",
        ),
        (&["--emit", "slurm", "--time", "2h"], "--time 2h"),
        (&["--emit", "slurm", "--mem", "much"], "--mem much"),
        (
            &["--emit", "slurm", "--partition", "a b"],
            "--partition a b",
        ),
        (&["--emit", "slurm", "--shards", "0"], "--shards 0"),
    ] {
        let error = of(flags);
        assert!(error.contains(words), "{error}");
        assert!(!place.join("sweeps").exists());
    }
}

#[test]
fn folders_of_something_else_are_left_alone() {
    let place = Scratch::new();
    std::fs::create_dir_all(place.join("s/runs")).unwrap();
    let error = place.fail(&["--seeds", "2", "--out", "s"]);
    assert!(error.contains("holds no sweep"), "{error}");
    let error = place.fail(&["--seeds", "2", "--out", "small.van"]);
    assert!(error.contains("small.van"), "{error}");
    assert_eq!(
        std::fs::read_to_string(place.join("small.van")).unwrap(),
        super::SOURCE
    );
}

#[test]
fn quiet_is_quiet_and_the_seed_is_the_files() {
    let place = Scratch::new();
    let said = place.succeed(&["--vary", "depth=1,2", "--epochs", "1", "--quiet"]);
    assert_eq!(said, "");
    assert_eq!(
        runs(&place.join("sweeps/small")),
        ["depth=1,seed=7", "depth=2,seed=7"]
    );
}
