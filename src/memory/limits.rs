//! Limits on memory that the system sets: of the machine, of a container, of a process.
//!
//! All are read from texts of `/proc` and `/sys`, which a function looks up.

use std::path::{Path, PathBuf};

/// Memory that can still be had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Free {
    /// Bytes of it.
    pub bytes: f64,
    /// Word for it, which says whose limit it is.
    pub whose: &'static str,
}

/// A function that reads a text file. None where there is none.
pub type Lookup<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// Finds the least of the memory that the machine has, that the control groups of this process
/// leave, and that its limit on address space leaves.
pub fn free(read: Lookup) -> Option<Free> {
    let of_machine = |text: String| kibibytes(&text, "MemAvailable:");
    let machine = read(Path::new("/proc/meminfo")).and_then(of_machine);
    let all = [
        (machine, "free"),
        (
            of_groups(read),
            "left in this container (its control group's limit)",
        ),
        (
            of_process(read),
            "left of the limit on address space (ulimit -v)",
        ),
    ];
    let known = all.into_iter().filter_map(|(bytes, whose)| {
        let bytes = bytes?;
        Some(Free { bytes, whose })
    });
    known.min_by(|a, b| a.bytes.total_cmp(&b.bytes))
}

/// Reads the number of kibibytes after `name`, as bytes.
fn kibibytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(number * 1024.0)
}

/// Address space that the process may still take.
fn of_process(read: Lookup) -> Option<f64> {
    let limits = read(Path::new("/proc/self/limits"))?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    let limit: f64 = line.split_whitespace().next()?.parse().ok()?;
    let status = read(Path::new("/proc/self/status"))?;
    Some((limit - kibibytes(&status, "VmSize:")?).max(0.0))
}

/// Files of a control group: its limit, its use, the name in `memory.stat` of the cache that the
/// system gives up when memory is short.
struct Files {
    limit: &'static str,
    usage: &'static str,
    cache: &'static str,
}

const VERSION_1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cache: "total_inactive_file ",
};

const VERSION_2: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    cache: "inactive_file ",
};

/// Limits from which on version 1 means none: the greatest multiple of a page, for any page.
const NO_LIMIT: f64 = 9e18;

/// The least that a control group of this process, or one around it, leaves.
fn of_groups(read: Lookup) -> Option<f64> {
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let mut least: Option<f64> = None;
    for mount in mounts.lines().filter_map(Mount::parse) {
        for folder in mount.folders(&groups) {
            if let Some(left) = left(&folder, &mount.files, read) {
                least = Some(least.map_or(left, |least| least.min(left)));
            }
        }
    }
    least
}

/// Limit of the control group at `folder` less its use. None where it has no limit.
fn left(folder: &Path, files: &Files, read: Lookup) -> Option<f64> {
    let number = |name: &str| read(&folder.join(name))?.trim().parse::<f64>().ok();
    let limit = number(files.limit).filter(|&limit| limit < NO_LIMIT)?;
    let usage = number(files.usage).unwrap_or(0.0);
    let statistics = read(&folder.join("memory.stat")).unwrap_or_default();
    let mut lines = statistics.lines();
    let cache = lines.find_map(|line| line.strip_prefix(files.cache)?.trim().parse().ok());
    let cache: f64 = cache.unwrap_or(0.0);
    Some((limit - (usage - cache).max(0.0)).max(0.0))
}

/// A hierarchy of control groups that can limit memory, and where it is.
struct Mount {
    /// Group that is shown at `point`.
    root: String,
    point: PathBuf,
    files: Files,
}

impl Mount {
    /// Reads a line of `mountinfo`. None if it is of something else.
    fn parse(line: &str) -> Option<Mount> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let kind = after.next()?;
        let mut options = after.nth(1)?.split(',');
        let files = match kind {
            "cgroup2" => VERSION_2,
            "cgroup" if options.any(|option| option == "memory") => VERSION_1,
            _ => return None,
        };
        Some(Mount {
            root: unescaped(root),
            point: unescaped(point).into(),
            files,
        })
    }

    /// Folders of the group that `groups` says this process is in, and of those around it, as far
    /// as they are shown.
    fn folders(&self, groups: &str) -> Vec<PathBuf> {
        let is_first = self.files.limit == VERSION_1.limit;
        let own = groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (kinds, path) = rest.split_once(':')?;
            let is_it = match is_first {
                true => kinds.split(',').any(|kind| kind == "memory"),
                false => kinds.is_empty(),
            };
            is_it.then_some(path)
        });
        let Some(own) = own else { return Vec::new() };
        // In a container the path may be the host's, of which the mount shows the last part.
        let below = Path::new(own)
            .strip_prefix(&self.root)
            .unwrap_or(Path::new(""));
        let is_plain = |part| matches!(part, std::path::Component::Normal(_));
        let below = match below.components().all(is_plain) {
            true => below,
            false => Path::new(""),
        };
        below
            .ancestors()
            .map(|part| self.point.join(part))
            .collect()
    }
}

/// Reads a path of `mountinfo`, in which blanks and backslashes are octal numbers.
fn unescaped(text: &str) -> String {
    let pairs = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    pairs.iter().fold(text.to_string(), |text, (octal, plain)| {
        text.replace(octal, plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1_048_576.0;

    /// Reads from pairs of a path and a text.
    fn found(files: &[(&str, &str)]) -> Option<Free> {
        free(&|path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| text.to_string())
        })
    }

    const MEMINFO: (&str, &str) = (
        "/proc/meminfo",
        "MemTotal:  4194304 kB\nMemAvailable:  2097152 kB\n",
    );
    const V1: &str = "25 20 0:22 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      26 20 0:23 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n";
    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

    #[test]
    fn without_limits_it_is_that_of_the_machine() {
        let whole = Free {
            bytes: 2048.0 * MIB,
            whose: "free",
        };
        assert_eq!(found(&[MEMINFO]), Some(whole));
        assert_eq!(found(&[]), None);
        let unlimited = [
            MEMINFO,
            ("/proc/self/cgroup", "0::/user\n"),
            ("/proc/self/mountinfo", V2),
            ("/sys/fs/cgroup/user/memory.max", "max\n"),
            ("/sys/fs/cgroup/user/memory.current", "1\n"),
            (
                "/proc/self/limits",
                "Max address space   unlimited   unlimited   bytes\n",
            ),
            ("/proc/self/status", "VmSize:  100 kB\n"),
        ];
        assert_eq!(found(&unlimited), Some(whole));
        let first = [
            MEMINFO,
            ("/proc/self/cgroup", "4:memory:/\n0::/\n"),
            ("/proc/self/mountinfo", V1),
            (
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ];
        assert_eq!(found(&first), Some(whole));
    }

    #[test]
    fn the_least_group_around_the_process_counts_less_its_use() {
        let files = [
            MEMINFO,
            ("/proc/self/cgroup", "0::/pod/box\n"),
            ("/proc/self/mountinfo", V2),
            ("/sys/fs/cgroup/pod/box/memory.max", "max\n"),
            ("/sys/fs/cgroup/pod/memory.max", "314572800\n"),
            ("/sys/fs/cgroup/pod/memory.current", "104857600\n"),
            (
                "/sys/fs/cgroup/pod/memory.stat",
                "anon 5\ninactive_file 52428800\n",
            ),
        ];
        let left = found(&files).unwrap();
        assert_eq!(left.bytes, 250.0 * MIB);
        assert!(left.whose.contains("container"));
    }

    #[test]
    fn version_1_is_read_and_so_is_a_container_that_sees_its_own_part() {
        for (group, root) in [
            ("/docker/abc", "/docker/abc"),
            ("/docker/abc", "/"),
            ("/x", "/y"),
        ] {
            let mounts = V1.replace("0:23 / ", &format!("0:23 {root} "));
            let folder = match root {
                "/" => "/sys/fs/cgroup/memory/docker/abc",
                _ => "/sys/fs/cgroup/memory",
            };
            let file = |name: &str| format!("{folder}/{name}");
            let groups = format!("9:cpu:/other\n4:memory:{group}\n");
            let left = found(&[
                MEMINFO,
                ("/proc/self/cgroup", &groups),
                ("/proc/self/mountinfo", &mounts),
                (&file("memory.limit_in_bytes"), "314572800\n"),
                (&file("memory.usage_in_bytes"), "209715200\n"),
                (
                    &file("memory.stat"),
                    "inactive_file 1\ntotal_inactive_file 104857600\n",
                ),
            ]);
            assert_eq!(left.unwrap().bytes, 200.0 * MIB, "{group} {root}");
        }
    }

    #[test]
    fn a_group_beyond_its_limit_leaves_nothing_and_a_limit_of_the_process_counts() {
        let files = [
            MEMINFO,
            ("/proc/self/cgroup", "0::/\n"),
            ("/proc/self/mountinfo", V2),
            ("/sys/fs/cgroup/memory.max", "1000\n"),
            ("/sys/fs/cgroup/memory.current", "2000\n"),
        ];
        assert_eq!(found(&files).unwrap().bytes, 0.0);
        let limited = [
            MEMINFO,
            (
                "/proc/self/limits",
                "Max cpu time  1  1 seconds\nMax address space  1073741824  unlimited  bytes\n",
            ),
            ("/proc/self/status", "VmPeak:  9 kB\nVmSize:  524288 kB\n"),
        ];
        let left = found(&limited).unwrap();
        assert_eq!(left.bytes, 512.0 * MIB);
        assert!(left.whose.contains("ulimit"));
    }

    #[test]
    fn strange_texts_are_passed_over() {
        for text in [
            "",
            "\n",
            "a b - c",
            " - cgroup2",
            "1 2 3 / /x - cgroup2 x",
            "0::",
            "4:memory",
        ] {
            let files = [
                MEMINFO,
                ("/proc/self/cgroup", text),
                ("/proc/self/mountinfo", text),
                ("/proc/self/limits", text),
            ];
            assert_eq!(found(&files).unwrap().whose, "free", "{text}");
        }
    }
}
