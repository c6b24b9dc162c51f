//! Tests of the README's blocks: its files are correct, its commands run, its table is
//! complete.

use super::{root, succeed};

/// Lists the fenced blocks of the README that are marked with `language`.
fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let mut blocks = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("\n```") {
        let (head, body) = after.split_once('\n').expect("a block's first line");
        let (body, after) = body.split_once("\n```").expect("a block's end");
        if head == language {
            blocks.push(format!("{body}\n"));
        }
        rest = after;
    }
    assert!(
        !blocks.is_empty(),
        "the README has no block of `{language}`"
    );
    blocks
}

/// Splits a shell line into words; single quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default();
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.trim().chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("a word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn files_in_the_readme_are_sound_and_canonical() {
    let folder = tempfile::tempdir().expect("a folder");
    for (i, block) in blocks("van").iter().enumerate() {
        let path = folder.path().join(format!("block{i}.van"));
        std::fs::write(&path, block).expect("written");
        let path = path.as_os_str();
        succeed(&["check".as_ref(), path]);
        succeed(&["fmt".as_ref(), "--check".as_ref(), path]);
    }
}

#[test]
fn the_language_example_is_an_example_file() {
    let file = std::fs::read_to_string(root().join("examples/cifar_8n2.van"));
    assert_eq!(blocks("van")[0], file.expect("examples/cifar_8n2.van"));
}

/// Runs each `vanc` command: training for two steps on synthetic images, sweeps with one seed,
/// all others as they are written.
#[test]
fn commands_in_the_readme_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run").display().to_string();
    let list = folder.path().join("list.csv").display().to_string();
    let sweep = folder.path().join("sweep").display().to_string();
    let commands: Vec<Vec<String>> = blocks("sh")
        .iter()
        .flat_map(|block| block.lines())
        .map(|line| words(&line.replace("cargo run --release --", "vanc")))
        .filter(|words| words.first().is_some_and(|word| word == "vanc"))
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for mut words in commands {
        words.remove(0);
        match words[0].as_str() {
            // The run of the line before.
            "train" if words[1] == "--resume" => {
                words[2] = run.clone();
                words.extend(["--max-steps", "2"].map(String::from));
            }
            "train" => {
                let own = [
                    "--out",
                    "--data",
                    "--data-dir",
                    "--epochs",
                    "--weights",
                    "--n",
                ];
                while let Some(at) = words.iter().position(|w| own.contains(&w.as_str())) {
                    words.drain(at..at + 2);
                }
                let data = [
                    "--data",
                    "synthetic(train: 64, test: 16)",
                    "--max-steps",
                    "2",
                ];
                words.extend(data.map(String::from));
                words.extend(["--batch", "32", "--out", &run, "--force"].map(String::from));
                if words[1].contains("cifar") {
                    words.extend(["--n", "1", "--width", "4"].map(String::from));
                }
            }
            "sweep" => {
                // What follows `>` is the shell's.
                words.truncate(words.iter().position(|w| w == ">").unwrap_or(words.len()));
                for own in ["--out", "--seeds"] {
                    if let Some(at) = words.iter().position(|w| w == own) {
                        words.drain(at..at + 2);
                    }
                }
                let data = ["--data", "synthetic(train: 64, test: 16)"];
                words.extend(data.map(String::from));
                words.extend(["--max-steps", "2", "--out", &sweep].map(String::from));
            }
            // Nobody is asked for anything: what it would do is another test's.
            "data" if words[1] == "fetch" => words.push("--help".into()),
            "report" if words[1].starts_with("sweeps/") => words[1] = sweep.clone(),
            "predict" => {
                words[1] = run.clone();
                for word in &mut words {
                    match word.as_str() {
                        "photos" => *word = root().join("tests/data").display().to_string(),
                        "predictions.csv" => *word = list.clone(),
                        _ => {}
                    }
                }
            }
            "bench" if words[1].starts_with("runs/") => words[1] = run.clone(),
            "eval" | "watch" | "report" => words[1] = run.clone(),
            _ => {}
        }
        succeed(&words);
    }
}

#[test]
fn files_named_in_the_readme_exist() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let table = text
        .split("## Where things are")
        .nth(1)
        .expect("the table of files");
    let mut named = 0;
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        for name in row
            .split('|')
            .nth(1)
            .expect("a cell")
            .split('`')
            .skip(1)
            .step_by(2)
        {
            assert!(root().join(name).exists(), "{name} is not there");
            named += 1;
        }
    }
    assert!(named > 10, "the table of files is short: {named}");
}
