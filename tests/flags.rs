//! Tests of the command line as it is typed: wrong flags, formats, exit codes.

use std::process::{Command, Output};

/// Runs the program on a file of `tests/errors`.
fn vanc(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vanc"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors"));
    command.args(args).output().expect("the program runs")
}

/// Standard error of a run, after its exit code.
fn screen(args: &[&str]) -> String {
    let output = vanc(args);
    let code = output.status.code().expect("an exit code");
    format!(
        "exit code {code}\n{}",
        String::from_utf8_lossy(&output.stderr)
    )
}

const CIFAR: &str = "../../examples/cifar_8n2.van";

#[test]
fn wrong_flags_get_their_screens() {
    let screens = [
        ("flag_unknown", vec!["check", CIFAR, "--widht", "8"]),
        ("flag_out_of_range", vec!["check", CIFAR, "--n", "100"]),
        (
            "flag_of_no_policy",
            vec!["check", CIFAR, "--policy", "variabel"],
        ),
        (
            "flag_of_no_optimizer",
            vec!["train", CIFAR, "--optimizer", "adam"],
        ),
        (
            "flag_of_no_dataset",
            vec!["train", CIFAR, "--data", "cifar", "--n=1"],
        ),
        ("flag_without_value", vec!["check", CIFAR, "--n", ""]),
        (
            "two_mistakes",
            vec!["check", "inexact_division.van", "--depth", "20"],
        ),
        ("file_missing", vec!["check", "missing.van"]),
        ("file_unnamed", vec!["check"]),
        ("flag_of_other_frameworks", vec!["train", CIFAR, "--lr=0.1"]),
        (
            "flag_of_another_command",
            vec!["check", CIFAR, "--epochs", "3"],
        ),
        ("flag_like_a_number", vec!["train", CIFAR, "-1"]),
        ("flag_misspelt", vec!["fmt", "--chek", CIFAR]),
        ("flag_of_a_run", vec!["eval", "runs/x", "--lr", "3"]),
        ("flag_without_its_value", vec!["train", CIFAR, "--epochs"]),
        (
            "flag_given_twice",
            vec!["train", CIFAR, "--seed", "1", "--seed", "2"],
        ),
        (
            "flag_with_a_value_too_many",
            vec!["train", CIFAR, "--quiet=3"],
        ),
        (
            "flag_of_no_number",
            vec!["bench", CIFAR, "--max-steps", "a"],
        ),
        (
            "flag_of_no_seconds",
            vec!["train", CIFAR, "--save-every", "x"],
        ),
        ("flag_of_no_format", vec!["check", CIFAR, "--format", "jsn"]),
        ("command_misspelt", vec!["chekc", CIFAR]),
        ("command_of_a_group", vec!["data", "fetchh"]),
        ("operand_too_many", vec!["train", CIFAR, "x"]),
        ("operand_of_no_dataset", vec!["data", "fetch", "cifar"]),
        ("operand_missing_of_data", vec!["data", "fetch"]),
        ("operand_missing_of_eval", vec!["eval"]),
        ("operand_missing_of_report", vec!["report"]),
    ];
    for (name, args) in screens {
        let text = screen(&args);
        assert!(
            !text.contains("tip:") && !text.contains("as a value"),
            "{text}"
        );
        insta::with_settings!({ omit_expression => true, description => args.join(" ") }, {
            insta::assert_snapshot!(name, screen(&args));
        });
    }
}

#[test]
fn exit_codes_tell_sound_wrong_and_misused_apart() {
    let code = |args: &[&str]| vanc(args).status.code();
    assert_eq!(code(&["check", CIFAR]), Some(0));
    assert_eq!(
        code(&["check", CIFAR, "--n", "1", "--policy=variable(lambda: 0)"]),
        Some(0)
    );
    assert_eq!(code(&["describe", CIFAR, "--format", "json"]), Some(0));
    assert_eq!(code(&["check", "even_kernel.van"]), Some(1));
    assert_eq!(code(&["describe", "even_kernel.van"]), Some(1));
    assert_eq!(code(&["check", "unclosed_brace.van"]), Some(1));
    assert_eq!(code(&["check", "missing.van"]), Some(1));
    assert_eq!(code(&["check", CIFAR, "--widht", "8"]), Some(2));
    assert_eq!(code(&["check", CIFAR, "--format", "xml"]), Some(2));
    assert_eq!(code(&["chekc", CIFAR]), Some(2));
    assert_eq!(code(&["check", "even_kernel.txt"]), Some(1));
}

/// Names that would be two flags, or hide one, are reported as mistakes.
#[test]
fn params_that_cannot_be_flags_are_reported() {
    for file in ["param_named_like_a_flag.van", "duplicate_declarations.van"] {
        let screen = screen(&["check", file]);
        assert!(
            screen.starts_with("exit code 1\n") && screen.contains("van::name"),
            "{screen}"
        );
    }
}

#[test]
fn json_gives_a_line_a_mistake() {
    for (file, count) in [
        ("even_kernel.van", 2),
        ("semicolons.van", 1),
        ("typographic_signs.van", 4),
        ("look_alikes.van", 14),
    ] {
        let output = vanc(&["check", file, "--format", "json"]);
        assert_eq!(output.status.code(), Some(1));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors/").to_string() + file;
        let text = std::fs::read_to_string(path).expect("the file");
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), count, "{file}");
        for line in lines {
            let mistake: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text_of = |key: &str| mistake[key].as_str().expect("text").to_string();
            assert!(text_of("code").starts_with("van::"));
            assert!(!text_of("message").is_empty() && !text_of("help").is_empty());
            let label = &mistake["labels"][0];
            assert_eq!(label["file"], file);
            let number = |key: &str| label[key].as_u64().expect("a number") as usize;
            // The byte span and the lines and columns are the same place.
            let before = &text[..number("start")];
            assert_eq!(number("line"), before.matches('\n').count() + 1);
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            assert_eq!(number("column"), column);
            assert!(!text[number("start")..number("end")].contains('\n'));
            assert_eq!(number("end_line"), number("line"));
            let width = text[number("start")..number("end")].chars().count();
            assert_eq!(number("end_column"), column + width);
        }
    }
    let sound = vanc(&["check", CIFAR, "--format", "json"]);
    assert!(sound.status.success() && sound.stdout.is_empty() && sound.stderr.is_empty());
}

#[test]
fn json_gives_flags_as_files_of_their_own() {
    let output = vanc(&["check", CIFAR, "--policy", "variabel", "--format=json"]);
    let line = String::from_utf8(output.stdout).expect("UTF-8");
    let mistake: serde_json::Value = serde_json::from_str(line.trim()).expect("JSON");
    assert_eq!(mistake["labels"][0]["file"], "--policy");
    assert_eq!(mistake["labels"][0]["end"], 8);
    assert_eq!(mistake["labels"][1]["file"], CIFAR);
}

#[test]
fn fmt_check_changes_nothing() {
    let output = vanc(&["fmt", "--check", CIFAR]);
    assert_eq!(output.status.code(), Some(0));
    let file = "even_kernel.van";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors/").to_string() + file;
    let before = std::fs::read(&path).expect("the file");
    let output = vanc(&["fmt", "--check", file, "semicolons.van"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read(&path).expect("the file"), before);
}

/// The help of a training shows what the file says.
#[test]
fn help_shows_the_settings_of_the_file() {
    let output = vanc(&["train", CIFAR, "--help"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for shown in [
        "Passes over the training images [default: 165]",
        "Images in a step [default: 128]",
        "Learning rate of the optimizer [default: 0.1]",
        "[default: orthogonal]",
        "[default: cosine(warmup: 5)]",
        "[default: cifar10(augment: [pad_crop(4), flip_horizontal])]",
    ] {
        assert!(text.contains(shown), "{shown} is not in: {text}");
    }
    // A file with mistakes has help, too.
    let output = vanc(&["train", "even_kernel.van", "--help"]);
    assert!(output.status.success());
}
