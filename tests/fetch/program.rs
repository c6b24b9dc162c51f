//! Tests of `vanc data` itself.

use crate::server::{Server, bytes, good, names, send, serve, status};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

/// Length of the first file of MNIST in bytes.
const FIRST: usize = 9_912_422;

/// Makes a `vanc data` command that no outside setting can change.
fn vanc(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vanc"));
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];
    for name in proxies {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
        .arg("data")
        .env("VANC_DATA", data)
        .stdin(Stdio::null());
    command
}

fn run(data: &Path, args: &[&str]) -> Output {
    vanc(data).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard error of a run that must fail with `code`.
fn failure(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}

/// Makes a folder with files of CIFAR-100's names and lengths.
fn cifar100() -> TempDir {
    let data = tempdir().unwrap();
    let dir = data.path().join("cifar-100-binary");
    fs::create_dir(&dir).unwrap();
    for (name, length) in [("train.bin", 153_700_000), ("test.bin", 30_740_000)] {
        let file = fs::File::create(dir.join(name)).unwrap();
        file.set_len(length).unwrap();
    }
    data
}

#[test]
fn what_is_complete_is_not_fetched() {
    let data = cifar100();
    // Left by one that was killed when all but this was done.
    let left = data
        .path()
        .join("cifar-100-binary/cifar-100-binary.tar.gz.part");
    fs::write(&left, "").unwrap();
    let output = run(
        data.path(),
        &["fetch", "cifar100", "--from", "http://127.0.0.1:1"],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("cifar100: complete in "), "{said}");
    assert!(!left.exists());
    assert_eq!(text(&output.stderr), "");
    let output = run(data.path(), &["fetch", "cifar100", "--quiet"]);
    assert_eq!(
        (text(&output.stdout), text(&output.stderr)),
        ("".into(), "".into())
    );
}

#[test]
fn the_list_shows_what_is_there() {
    let data = cifar100();
    let mnist = data.path().join("MNIST/raw");
    fs::create_dir_all(&mnist).unwrap();
    fs::write(mnist.join("train-images-idx3-ubyte"), "short").unwrap();
    let begun = data.path().join("fashion_mnist");
    fs::create_dir(&begun).unwrap();
    fs::write(begun.join("train-images-idx3-ubyte.gz.part"), [0; 1234]).unwrap();
    let output = run(data.path(), &["list"]);
    assert!(output.status.success());
    let said = text(&output.stdout);
    let line = |name: &str| {
        let found = said
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        found
            .unwrap_or_else(|| panic!("no {name} in {said}"))
            .to_string()
    };
    assert!(line("data in").contains(&data.path().display().to_string()));
    assert!(
        line("cifar100").contains("complete     2 files, 184 MB, in"),
        "{said}"
    );
    assert!(
        line("mnist").contains("incomplete   train-images-idx3-ubyte has 5 bytes"),
        "{said}"
    );
    assert!(line("mnist").contains("(and 3 more)"), "{said}");
    assert!(
        line("cifar10 ").contains("not there    170 MB to fetch"),
        "{said}"
    );
    assert!(line("begun").contains("1.23 kB of 26.4 MB"), "{said}");
    let output = run(data.path(), &["list", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let named = |name: &str| {
        let datasets = json["datasets"].as_array().unwrap();
        datasets.iter().find(|d| d["name"] == name).unwrap().clone()
    };
    assert_eq!(named("cifar100")["complete"], true);
    assert_eq!(named("cifar10")["dir"], serde_json::Value::Null);
    assert_eq!(named("mnist")["faults"].as_array().unwrap().len(), 4);
    assert_eq!(named("fashion_mnist")["begun_bytes"], 1234);
}

#[test]
fn files_that_are_not_the_published_ones_are_refused() {
    let data = tempdir().unwrap();
    let server = good(&vec![0; FIRST]);
    let output = run(data.path(), &["fetch", "mnist", "--from", &server.base]);
    let said = failure(&output, 1);
    assert!(
        said.contains("cannot fetch train-images-idx3-ubyte.gz"),
        "{said}"
    );
    assert!(said.contains("sends bytes with a wrong sum"), "{said}");
    assert_eq!(server.asked().len(), 1);
    assert_eq!(names(&data.path().join("mnist")), [""; 0]);
}

#[test]
fn the_platforms_folder_is_used_where_none_is_named() {
    let home = tempdir().unwrap();
    let output = vanc(Path::new(""))
        .args(["list", "--format", "json"])
        .env("HOME", home.path())
        .env_remove("XDG_DATA_HOME")
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let folder = json["folder"].as_str().unwrap();
    if cfg!(target_os = "linux") {
        let expected = home.path().join(".local/share/vanc/data");
        assert_eq!(Path::new(folder), expected);
    }
    assert!(folder.ends_with("data"), "{folder}");
}

/// A CIFAR-10 of one image a file, in the platform's folder, is read by `train`; if it is
/// missing, `train` says how to fetch it.
#[cfg(target_os = "linux")]
#[test]
fn training_looks_where_fetching_puts() {
    let home = tempdir().unwrap();
    let train = |flags: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_vanc"))
            .args([
                "train",
                "examples/cifar_8n2.van",
                "--n",
                "1",
                "--width",
                "2",
            ])
            .args(["--max-steps", "1", "--batch", "2", "--force", "--out"])
            .arg(home.path().join("run"))
            .args(flags)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("HOME", home.path())
            .env_remove("XDG_DATA_HOME")
            .env_remove("VANC_DATA")
            .output()
            .unwrap()
    };
    let said = failure(&train(&[]), 1);
    let root = home.path().join(".local/share/vanc/data");
    assert!(
        said.contains(&format!("no folder {}", root.display())),
        "{said}"
    );
    assert!(said.contains("`vanc data fetch cifar10`"), "{said}");
    let said = failure(&train(&["--data-dir", "/no where"]), 1);
    assert!(
        said.contains("`vanc data fetch cifar10 --data-dir '/no where'`"),
        "{said}"
    );
    let dir = root.join("cifar-10-batches-bin");
    fs::create_dir_all(&dir).unwrap();
    for name in ["data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"] {
        fs::write(dir.join(name), [[3].as_slice(), &bytes(3072)].concat()).unwrap();
    }
    let output = train(&[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.contains(&format!("cifar10 in {}", dir.display())),
        "{said}"
    );
}

#[test]
fn wrong_flags_are_explained() {
    let data = tempdir().unwrap();
    let fetch = |args: &[&str], code: i32| {
        let all = [&["fetch", "mnist"], args].concat();
        failure(&run(data.path(), &all), code)
    };
    for url in [
        "ftp://x/y",
        "mnist",
        "http://",
        "http://x/y?z",
        "",
        "http://a b/",
        "file:///etc",
    ] {
        let said = fetch(&["--from", url], 1);
        assert!(
            said.contains("--from") && said.contains("help:"),
            "{url}: {said}"
        );
    }
    for seconds in ["0", "-1", "inf", "nan", "1e300", "86401", "1e19"] {
        let said = fetch(&[&format!("--timeout={seconds}")], 1);
        assert!(said.contains("no such wait"), "{seconds}: {said}");
    }
    assert!(fetch(&["--retries", "many"], 2).contains("--retries"));
    assert!(fetch(&["imagenet"], 2).contains("imagenet"));
    let said = fetch(&["cifar10", "--from", "http://127.0.0.1:1"], 1);
    assert!(said.contains("one by one"), "{said}");
    assert!(!data.path().join("mnist").exists());
}

/// A proxy is asked to connect, unless the host is to be reached without it.
#[test]
fn proxies_are_asked() {
    let data = tempdir().unwrap();
    let proxy = Server::start(|_, stream| {
        send(stream, b"HTTP/1.1 200 Connection established\r\n\r\n");
        status(stream, "404 Not Found");
    });
    let fetch = |from: &str, variables: &[(&str, &str)]| {
        let output = vanc(data.path())
            .args(["fetch", "mnist", "--retries", "0", "--from", from])
            .envs(variables.iter().copied())
            .output();
        failure(&output.unwrap(), 1)
    };
    let mirror = "http://mirror.example/mnist";
    let address = proxy.base.trim_start_matches("http://");
    for (number, variables) in [
        [("HTTP_PROXY", proxy.base.as_str())],
        [("http_proxy", address)],
        [("ALL_PROXY", &proxy.base)],
    ]
    .iter()
    .enumerate()
    {
        let said = fetch(mirror, variables);
        assert!(
            said.contains("answers 404 Not Found"),
            "{variables:?}: {said}"
        );
        assert_eq!(proxy.asked().len(), number + 1);
        let line = &proxy.asked()[number].line;
        assert_eq!(line, "CONNECT mirror.example:80 HTTP/1.1");
    }
    // HTTPS has a proxy of its own.
    let secure = [
        ("HTTPS_PROXY", proxy.base.as_str()),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
    ];
    fetch("https://mirror.example", &secure);
    assert_eq!(proxy.asked()[3].line, "CONNECT mirror.example:443 HTTP/1.1");
    let direct = Server::start(|_, stream| status(stream, "404 Not Found"));
    let passed_by = [
        ("HTTP_PROXY", proxy.base.as_str()),
        ("NO_PROXY", "x.example, 127.0.0.1"),
    ];
    fetch(&direct.base, &passed_by);
    assert_eq!((direct.asked().len(), proxy.asked().len()), (1, 4));
    let said = fetch(mirror, &[("HTTP_PROXY", "http://127.0.0.1:1")]);
    assert!(said.contains("(through the proxy 127.0.0.1:1)"), "{said}");
    let refusing = Server::start(|_, stream| status(stream, "403 Forbidden"));
    let said = fetch(mirror, &[("HTTP_PROXY", &refusing.base)]);
    assert!(
        said.contains("403") && said.contains("through the proxy"),
        "{said}"
    );
    let said = fetch(mirror, &[("HTTP_PROXY", "gopher://proxy")]);
    assert!(said.contains("HTTP_PROXY is \"gopher://proxy\""), "{said}");
}

/// Waits until the program has `length` bytes of MNIST's first file.
fn wait_for(part: &Path, length: u64) {
    let begun = Instant::now();
    while fs::metadata(part).map_or(0, |m| m.len()) < length {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no {length} bytes"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
#[test]
fn a_signal_or_a_kill_keeps_what_came() {
    let data = tempdir().unwrap();
    let part = data.path().join("mnist/train-images-idx3-ubyte.gz.part");
    let body = bytes(FIRST);
    let served = body.clone();
    let server = Server::start(move |request, stream| {
        serve(request, stream, &served, 1_000_000);
        std::thread::sleep(Duration::from_secs(20));
    });
    let ends = [("-INT", Some(130)), ("-TERM", Some(143)), ("-KILL", None)];
    for (number, (signal, code)) in ends.into_iter().enumerate() {
        let child = vanc(data.path())
            .args(["fetch", "mnist", "--from", &server.base])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for(&part, 1_000_000 * (number as u64 + 1));
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), code, "{signal}");
        if code.is_some() {
            let said = text(&output.stderr);
            let kept = format!("keeps {}.00 MB of 9.91 MB", number + 1);
            assert!(
                said.starts_with("stopped: ") && said.contains(&kept),
                "{said}"
            );
        }
        assert_eq!(fs::read(&part).unwrap(), body[..1_000_000 * (number + 1)]);
    }
    assert_eq!(server.starts(), [0, 1_000_000, 2_000_000]);
}
