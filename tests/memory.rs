//! Tests of limits on memory: what does not fit is refused, not killed.

mod needs;

use needs::{Need, case};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

/// A network whose steps take some gigabytes.
const SOURCE: &str = "
model wide {
    input image(1, 28, 28)
    conv(128, kernel: 3) relu
    conv(128, kernel: 3) relu
    linear(10)
}

train {
    data: synthetic(train: 2000, test: 10)
    batch: 2000
    epochs: 1
}
";

/// Environment variable that names a folder of control groups that tests may make one in.
const GROUPS: &str = "VANC_TEST_CGROUP";

fn main() -> ExitCode {
    let shell: Need = match cfg!(target_os = "linux") {
        true => Ok(()),
        false => Err("Linux, which says what a limit leaves".into()),
    };
    let group = match std::env::var_os(GROUPS) {
        Some(_) => shell.clone(),
        None => Err(format!(
            "a folder of control groups that may be added to, in {GROUPS}"
        )),
    };
    needs::run(vec![
        case(
            "a_limit_on_address_space_is_seen",
            &shell,
            a_limit_on_address_space_is_seen,
        ),
        case(
            "the_memory_of_a_container_is_seen",
            &group,
            the_memory_of_a_container_is_seen,
        ),
    ])
}

/// Trains in a shell that has run `before`.
fn train(before: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("wide.van"), SOURCE).unwrap();
    let vanc = env!("CARGO_BIN_EXE_vanc");
    Command::new("sh")
        .args(["-ec", &format!("{before}\nexec \"$0\" \"$@\""), vanc])
        .args(["train", "wide.van", "--device", "cpu", "--threads", "1"])
        .current_dir(dir.path())
        .output()
        .unwrap()
}

fn is_refused(output: &Output, by: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(by) && said.contains("give --batch"), "{said}");
}

fn a_limit_on_address_space_is_seen() {
    is_refused(
        &train("ulimit -v 1000000"),
        "left of the limit on address space",
    );
}

/// A control group that is removed when it is dropped.
struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn the_memory_of_a_container_is_seen() {
    let groups = std::env::var_os(GROUPS).unwrap();
    let name = format!("vanc-test-{}", std::process::id());
    let group = Group(Path::new(&groups).join(name));
    std::fs::create_dir(&group.0).unwrap();
    let limit = ["memory.max", "memory.limit_in_bytes"].map(|name| group.0.join(name));
    let limit = limit.iter().find(|path| path.exists()).unwrap();
    std::fs::write(limit, "300000000").unwrap();
    let enter = format!("echo $$ > '{}/cgroup.procs'", group.0.display());
    is_refused(&train(&enter), "left in this container");
}
