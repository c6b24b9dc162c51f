//! Files that are not what they should be, given to the program: those of other programs, pipes,
//! and folders of pictures that are not all read.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

/// A JPEG picture of 24×16 (height × width).
const PICTURE: &[u8] = include_bytes!("data/grey.jpg");

const NETWORK: &str = "model m {
    input image(1, 24, 16)
    linear(2)
}
train {
    data: folder
    epochs: 1
    batch: 2
}
";

/// Runs the program in `dir`; one that waits for something is ended.
fn vanc(dir: &Path, args: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vanc"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("vanc {args:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// Standard error of a run that must fail.
fn failure(dir: &Path, args: &[&str]) -> String {
    let output = vanc(dir, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    said
}

/// Standard output of a run that must not fail.
fn success(dir: &Path, args: &[&str]) -> String {
    let output = vanc(dir, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}

/// The beginnings of an archive whose first file has this name.
fn zip(name: &str) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.extend([0; 22]);
    bytes.extend((name.len() as u16).to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(name.as_bytes());
    bytes.extend([0; 100]);
    bytes
}

/// Files of other programs, what they are called, and a part of the advice.
fn foreign() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let utf_16 = NETWORK.encode_utf16().flat_map(u16::to_le_bytes);
    vec![
        (
            b"<!DOCTYPE html>\n<title>Sign in</title>".to_vec(),
            "an HTML page",
            "get the file itself",
        ),
        (
            [vec![0xff, 0xfe], utf_16.collect()].concat(),
            "a UTF-16 text",
            "UTF-8",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n".to_vec(),
            "a Git LFS pointer",
            "git lfs pull",
        ),
        (zip("archive/data.pkl"), "a PyTorch file", "save_file"),
        (zip("metadata.json"), "a Keras file", "save_file"),
        (zip("train/"), "a zip archive", "unpack it"),
        (
            b"\x89HDF\r\n\x1a\n\0\0\0\0\0\0\0\0".to_vec(),
            "an HDF5 file",
            "save_file",
        ),
        (
            b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0\0\0".to_vec(),
            "a 7z archive",
            "unpack it",
        ),
        (
            b"Rar!\x1a\x07\x01\0\0\0\0\0\0\0".to_vec(),
            "a RAR archive",
            "unpack it",
        ),
    ]
}

/// A folder with the network and two classes of two pictures.
fn scratch() -> TempDir {
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("net.van"), NETWORK).unwrap();
    for class in ["train/a", "train/b", "test/a", "test/b"] {
        let class = dir.path().join("pictures").join(class);
        std::fs::create_dir_all(&class).unwrap();
        std::fs::write(class.join("1.jpg"), PICTURE).unwrap();
        std::fs::write(class.join("2.jpg"), PICTURE).unwrap();
    }
    dir
}

#[test]
fn files_of_other_programs_are_named_wherever_they_are_given() {
    let dir = scratch();
    for (bytes, name, advice) in foreign() {
        let place = |file: &str| std::fs::write(dir.path().join(file), &bytes).unwrap();
        place("other.van");
        let said = failure(dir.path(), &["check", "other.van"]);
        says(
            &said,
            &[
                &format!("other.van is {name}, not a `.van` file"),
                "help:",
                advice,
            ],
        );
        place("weights");
        let train = ["train", "net.van", "--data-dir", "pictures", "--weights"];
        let said = failure(dir.path(), &[&train[..], &["weights"]].concat());
        says(
            &said,
            &[
                &format!("weights is {name}, not a safetensors file"),
                advice,
            ],
        );
        let said = failure(dir.path(), &["eval", "weights"]);
        says(
            &said,
            &[
                "weights: it is",
                &format!("{name}, not a checkpoint"),
                advice,
            ],
        );
        place("pictures/train/a/3.jpg");
        let said = failure(dir.path(), &train[..4]);
        says(
            &said,
            &[
                &format!("3.jpg is {name}, not a PNG or JPEG picture"),
                advice,
            ],
        );
        std::fs::remove_file(dir.path().join("pictures/train/a/3.jpg")).unwrap();
    }
    assert!(!dir.path().join("runs").exists());
}

/// To open a pipe would wait for whoever writes to it.
#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_at_once() {
    let dir = scratch();
    let pipe = |name: &str| {
        let _ = std::fs::remove_file(dir.path().join(name));
        let made = Command::new("mkfifo").arg(dir.path().join(name)).status();
        assert!(made.unwrap().success());
    };
    let refused = |args: &[&str], name: &str| {
        let said = failure(dir.path(), args);
        says(&said, &[name, "it is a pipe (FIFO), not a file"]);
    };
    pipe("pipe.van");
    refused(&["check", "pipe.van"], "pipe.van");
    refused(&["fmt", "pipe.van"], "pipe.van");
    let train = ["train", "net.van", "--data-dir", "pictures", "--out", "run"];
    refused(
        &[&train[..], &["--weights", "pipe.van"]].concat(),
        "pipe.van",
    );
    refused(&["eval", "pipe.van"], "pipe.van");
    success(dir.path(), &train);
    let resume = [&train[..], &["--resume", "--epochs", "2"]].concat();
    for name in ["run/config.json", "run/checkpoints/last.safetensors"] {
        let whole = std::fs::read(dir.path().join(name)).unwrap();
        pipe(name);
        refused(&resume, name);
        std::fs::remove_file(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name), whole).unwrap();
    }
    pipe("run/metrics.jsonl");
    refused(&resume, "run/metrics.jsonl");
    pipe("pictures/train/a/0");
    refused(&train[..4], "pictures/train/a/0");
    // A device never ends.
    says(
        &failure(dir.path(), &["eval", "/dev/zero"]),
        &["/dev/zero", "it is a device, not a file"],
    );
}

#[test]
fn the_heading_says_what_was_passed_over() {
    let dir = scratch();
    let pictures = dir.path().join("pictures");
    let train = ["train", "net.van", "--data-dir", "pictures", "--out"];
    let said = success(dir.path(), &[&train[..], &["whole"]].concat());
    assert!(!said.contains("left out"), "{said}");
    std::fs::create_dir(pictures.join("train/a/more")).unwrap();
    std::fs::write(pictures.join("train/a/more/no_extension"), PICTURE).unwrap();
    for (name, bytes) in [
        ("1.gif", "GIF89a"),
        ("2.gif", "GIF89a"),
        ("notes.txt", "notes"),
        ("page.html", "<html>"),
    ] {
        std::fs::write(pictures.join("train/a").join(name), bytes).unwrap();
    }
    let said = success(dir.path(), &[&train[..], &["part"]].concat());
    says(
        &said,
        &[
            "5 training and 4 test images",
            "\n  left out  2 GIF pictures, 1 HTML page, 1 other file\n",
        ],
    );
    let said = success(dir.path(), &["eval", "part"]);
    says(
        &said,
        &["\n  left out    2 GIF pictures, 1 HTML page, 1 other file\n"],
    );
    let json = success(dir.path(), &["eval", "part", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["left_out"],
        "2 GIF pictures, 1 HTML page, 1 other file"
    );
}

/// A trained network cannot be given other layers.
#[test]
fn eval_advises_other_data_and_not_another_network() {
    let dir = scratch();
    let train = ["train", "net.van", "--data-dir", "pictures", "--out", "run"];
    success(dir.path(), &train);
    std::fs::create_dir(dir.path().join("pictures/train/c")).unwrap();
    let said = failure(dir.path(), &["eval", "run"]);
    says(
        &said,
        &[
            "a class that the network does not know: `c`",
            "trained on `a`, `b`",
        ],
    );
    assert!(!said.contains("linear("), "{said}");
    says(
        &failure(dir.path(), &train[..4]),
        &["remove the empty folders"],
    );
}

/// Classes are those with the same names, whatever other folders there are.
#[test]
fn eval_finds_classes_by_name() {
    let dir = scratch();
    let train = ["train", "net.van", "--data-dir", "pictures", "--out", "run"];
    success(dir.path(), &train);
    let images = |args: &[&str]| {
        let args = [&["eval", "run", "--format", "json"], args].concat();
        let report: serde_json::Value = serde_json::from_str(&success(dir.path(), &args)).unwrap();
        let classes = report["classes"].as_array().unwrap().iter();
        let counts = classes.map(|class| (class["name"].to_string(), class["images"].as_u64()));
        (counts.collect::<Vec<_>>(), report["warning"].to_string())
    };
    // Only the second class: its index in the folder is that of the first.
    for split in ["train", "test"] {
        let class = dir.path().join("some").join(split).join("b");
        std::fs::create_dir_all(&class).unwrap();
        std::fs::write(class.join("x.jpg"), PICTURE).unwrap();
    }
    let (classes, warning) = images(&["--data-dir", "some"]);
    assert_eq!(
        classes,
        [("\"a\"".into(), Some(0)), ("\"b\"".into(), Some(1))]
    );
    assert!(warning.contains("training image, there were"), "{warning}");
    std::fs::rename(
        dir.path().join("some/test/b"),
        dir.path().join("some/test/z"),
    )
    .unwrap();
    std::fs::rename(
        dir.path().join("some/train/b"),
        dir.path().join("some/train/z"),
    )
    .unwrap();
    let said = failure(dir.path(), &["eval", "run", "--data-dir", "some"]);
    says(&said, &["does not know: `z`", "trained on `a`, `b`"]);
    std::fs::create_dir(dir.path().join("some/train/u\u{308}")).unwrap();
    std::fs::create_dir(dir.path().join("some/train/\u{fc}")).unwrap();
    let said = failure(dir.path(), &["eval", "run", "--data-dir", "some"]);
    says(
        &said,
        &[
            "look alike",
            "U+00FC",
            "U+0308",
            "put their images into one folder",
        ],
    );
}

/// Names that are commands to a terminal, or text to a spreadsheet, are written out.
#[cfg(unix)]
#[test]
fn hidden_characters_reach_no_output() {
    let dir = scratch();
    let network = NETWORK.replace("linear(2)", "linear(3)");
    std::fs::write(dir.path().join("net.van"), network).unwrap();
    let class = "=a\u{1b}[31m\nb\u{202e}";
    for split in ["train", "test"] {
        let class = dir.path().join("pictures").join(split).join(class);
        std::fs::create_dir(&class).unwrap();
        std::fs::write(class.join("x.jpg"), PICTURE).unwrap();
    }
    let is_clean = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let hidden = text
            .chars()
            .find(|&c| c != '\n' && vanc::escape::is_hidden(c));
        assert_eq!(hidden, None, "in {text}");
        text
    };
    let say = |args: &[&str]| {
        let output = vanc(dir.path(), args);
        is_clean(&output.stdout) + &is_clean(&output.stderr)
    };
    let run = "run\u{1b}[2J";
    let train = ["train", "net.van", "--data-dir", "pictures", "--out", run];
    says(&say(&train), &["vanc eval $'run\\x1b[2J'"]);
    let shown = r"=a\u{1b}[31m\nb\u{202e}";
    says(&say(&["eval", run]), &[shown, r"run\u{1b}[2J/checkpoints"]);
    let predict = [
        "predict",
        run,
        "pictures/test/a",
        "--format",
        "csv",
        "--top",
        "3",
    ];
    says(&say(&predict), &[&format!(",'{shown},")]);
    let report = say(&["report", run]);
    says(&report, &[r"run\u{1b}[2J"]);
    is_clean(&std::fs::read(dir.path().join(run).join("report.html")).unwrap());
    says(&say(&["train", "\u{1b}[31m.van"]), &[r"\u{1b}[31m.van"]);
    says(
        &say(&["train", "net.van", "--batch", "\u{9b}x"]),
        &["a control character, U+009B"],
    );
    says(
        &say(&["train", "net.van", "--engine", "\u{1b}c"]),
        &[r"\u{1b}c"],
    );
}

/// A file that cannot be written is named, and not the temporary one beside it. The limit on the
/// length of files fails for every user.
#[cfg(unix)]
#[test]
fn fmt_names_the_file_that_it_cannot_write() {
    let dir = tempdir().unwrap();
    std::fs::write(
        dir.path().join("net.van"),
        "model  m {input image(1,2,2) relu}",
    )
    .unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" fmt net.van"])
        .arg(env!("CARGO_BIN_EXE_vanc"))
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    says(&said, &["cannot write net.van: "]);
    assert!(!said.contains("tmp"), "{said}");
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "a temporary file is left");
}
