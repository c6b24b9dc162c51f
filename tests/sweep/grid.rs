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
    let changed = |change: &dyn Fn(&str) -> String| {
        std::fs::write(place.join("small.van"), change(super::SOURCE)).unwrap();
        sweep("1,2,3", "0,5", "1")
    };
    let alike: [&dyn Fn(&str) -> String; 3] = [
        &|source| format!("{source}// more\n"),
        &|source| source.replace('\n', "\r\n"),
        &|source| source.replace("0.002", "2e-3"),
    ];
    for change in alike {
        let output = changed(change);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    for (from, to, named) in [
        (
            "batch: 8",
            "batch: 9",
            "batch: 8 in the sweep, 9 in the file",
        ),
        (
            "relu",
            "tanh",
            "(relu) in the sweep, repeat0.0.skip0.tanh0 (tanh) in the file",
        ),
    ] {
        let error = text(&changed(&|source| source.replace(from, to)).stderr);
        assert!(error.contains(named), "{error}");
    }
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
    assert!(said.contains("did you mean `off`?"), "{said}");
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

#[test]
fn values_that_mean_the_same_are_one() {
    let place = Scratch::new();
    let flags = |rates: &'static str, policies: &'static str| {
        [
            "--vary", rates, "--vary", policies, "--epochs", "1", "--out", "s",
        ]
    };
    let said = place.succeed(&flags(
        "rate=0.1,0.10,1e-1,0.2",
        "policy=highway,highway(bias: -2),highway(bias: -2.0),plain,plain",
    ));
    assert!(said.contains("rate: 0.10 is the same as 0.1\n"), "{said}");
    assert!(said.contains("rate: 1e-1 is the same as 0.1\n"), "{said}");
    assert!(
        said.contains("policy: highway(bias: -2.0) is the same as highway\n"),
        "{said}"
    );
    assert!(said.contains("policy: plain is there twice\n"), "{said}");
    assert!(
        said.contains("rate (2) × policy (2) × seed (1) = 4 runs"),
        "{said}"
    );
    // Written otherwise, it is the same sweep.
    let said = place.succeed(&flags("rate=2e-1,1e-1", "policy=plain,highway(bias: -2)"));
    assert!(said.contains("0 of them left to do"), "{said}");
    assert_eq!(runs(&place.join("s")).len(), 4);
}

#[test]
fn ranges_are_values_and_a_dry_run_starts_nothing() {
    let place = Scratch::new();
    let flags = [
        "--vary",
        "depth=1..=3",
        "--vary",
        "rate=log(0.001..0.1, 3)",
        "--epochs",
        "1",
        "--out",
        "s",
    ];
    let dry = place.succeed(&[&flags[..], &["--dry-run"]].concat());
    assert!(!place.join("s").exists());
    assert!(
        dry.contains("depth (3) × rate (3) × seed (1) = 9 runs\n"),
        "{dry}"
    );
    assert!(
        dry.contains("  to do     depth=2 rate=0.01 seed=7\n"),
        "{dry}"
    );
    assert_eq!(dry.matches("  to do ").count(), 9, "{dry}");
    place.succeed(&[&flags[..], &["--shard", "1/3"]].concat());
    let dry = place.succeed(&[&flags[..], &["--dry-run"]].concat());
    assert!(dry.contains("6 of them left to do"), "{dry}");
    assert_eq!(dry.matches("  done ").count(), 3, "{dry}");
    assert!(dry.ends_with("  nothing was started\n"), "{dry}");
    assert!(dry.lines().all(|line| line.chars().count() <= 80), "{dry}");
    // What a sweep would refuse, it refuses.
    let said = place.fail(&["--vary", "depth=1..=3", "--out", "s", "--dry-run"]);
    assert!(said.contains("s holds another sweep"), "{said}");
    let said = place.fail(&["--vary", "depth=3..=1"]);
    assert!(said.contains("the range from 3 to 1 is empty"), "{said}");
    let said = place.fail(&["--vary", "rate=linear(0..1, 99999)", "--seeds", "2"]);
    assert!(said.contains("more than 100000 combinations"), "{said}");
}

#[test]
fn a_part_without_runs_says_so_and_ends_well() {
    let place = Scratch::new();
    let part = |shard| place.run(&grid(&["--epochs", "1", "--out", "s", "--shard", shard]));
    let output = part("9/1000000");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        said.contains("8 runs, none of them in part 9 of 1000000"),
        "{said}"
    );
    assert_eq!(sessions(&place.join("s")), 0);
    assert!(part("8/1000000").status.success());
    assert_eq!(sessions(&place.join("s")), 1);
    for (shard, named) in [
        ("0/3", "parts are counted from 1"),
        ("4/3", "there is no part 4 of 3"),
        ("1/0", "there must be at least one part"),
        ("1/99999999999999999999", "is no number of parts"),
    ] {
        let output = part(shard);
        let said = text(&output.stderr);
        assert!(
            output.status.code() == Some(1) && said.contains(named),
            "{said}"
        );
    }
}

#[test]
fn flags_of_the_numbers_reach_the_runs() {
    let place = Scratch::new();
    let flags = [
        "--precision",
        "f32",
        "--no-winograd",
        "--epochs",
        "1",
        "--seeds",
        "1",
    ];
    place.succeed(&[&flags[..], &["--out", "s"]].concat());
    let config = |run: &str| -> Value {
        let path = place.join(run).join("config.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let run = config("s/runs/seed=0");
    assert_eq!(
        (&run["precision"], &run["winograd"]),
        (&json!("f32"), &json!(false))
    );
    place.succeed(&[
        "--vary",
        "no-winograd=on,off",
        "--epochs",
        "1",
        "--out",
        "both",
    ]);
    assert_eq!(
        config("both/runs/no-winograd=on,seed=7")["winograd"],
        json!(false)
    );
    assert_eq!(
        config("both/runs/no-winograd=off,seed=7")["winograd"],
        json!(true)
    );
    let said = place.fail(&["--vary", "no-winograd=1,0"]);
    assert!(said.contains("it is a switch, on or off"), "{said}");
}
