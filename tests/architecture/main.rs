//! The shape of the house: no circles between files, no import upwards.
//!
//! A file A *uses* a file B where it names an item that B defines, in a `use` or in its code
//! (`folder::run(…)`, `crate::text::quote(…)`), outside tests. A name is followed through the
//! modules that hand it on to the file that defines it, so a `mod.rs` that only declares and
//! re-exports (`pub use`) uses nothing, and one that defines what its children take may use
//! none of them. Two rules hold:
//!
//! - no file uses, by whatever way round, a file that uses it;
//! - a file uses files of its own floor or of one below; `docs/architecture.md` lists the
//!   floors from the top down.

mod house;
mod scan;

use house::{Arrows, House};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn house() -> House {
    House::read(&root().join("src"))
}

/// The floors that the page lists, from the top down.
fn floors() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/architecture.md"));
    let page = page.expect("docs/architecture.md");
    let rows = page.lines().filter_map(|line| {
        let name = line.strip_prefix("| `")?.split_once("` |")?.0;
        Some(name.to_string())
    });
    rows.collect()
}

/// The room that a file is in: `cli` of `cli/train.rs`, `text` of `text.rs`.
fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.trim_end_matches(".rs")
}

#[test]
fn the_page_lists_every_room_once() {
    let floors = floors();
    let listed: BTreeSet<String> = floors.iter().cloned().collect();
    assert_eq!(listed.len(), floors.len(), "a room is listed twice");
    let rooms = house().rooms();
    let missing: Vec<_> = rooms.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&rooms).collect();
    assert!(missing.is_empty(), "docs/architecture.md lacks {missing:?}");
    assert!(gone.is_empty(), "docs/architecture.md lists {gone:?}");
}

#[test]
fn no_file_uses_a_floor_above_its_own() {
    let floors = floors();
    let floor = |file: &str| floors.iter().position(|name| name == room(file));
    let mut wrong = String::new();
    for ((from, to), names) in house().arrows() {
        if floor(&to) < floor(&from) {
            wrong.push_str(&format!("{from} uses {names:?} of {to}\n"));
        }
    }
    assert!(wrong.is_empty(), "upwards:\n{wrong}");
}

#[test]
fn no_files_use_one_another_in_a_circle() {
    let arrows = house().arrows();
    let mut wrong = String::new();
    for circle in circles(&arrows) {
        wrong.push_str(&format!("\n{circle:?}:\n"));
        for ((from, to), names) in &arrows {
            if circle.contains(from) && circle.contains(to) {
                wrong.push_str(&format!("    {from} uses {names:?} of {to}\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "circles:{wrong}");
}

/// Files that reach one another, as sets of two or more.
fn circles(arrows: &Arrows) -> BTreeSet<BTreeSet<String>> {
    let mut used: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        used.entry(from).or_default().push(to);
    }
    let reached = |start: &str| {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut open = vec![start];
        while let Some(file) = open.pop() {
            for next in used.get(file).into_iter().flatten() {
                if seen.insert(next.to_string()) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<String>> =
        used.keys().map(|file| (*file, reached(file))).collect();
    let circle = |file: &&str| {
        let others = reach[file].iter();
        let back =
            others.filter(|other| reach.get(other.as_str()).is_some_and(|r| r.contains(*file)));
        back.cloned().collect::<BTreeSet<String>>()
    };
    let circles = used.keys().map(circle);
    circles.filter(|circle| circle.len() > 1).collect()
}

/// The rules see what they are meant to see.
#[test]
fn circles_and_paths_are_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write("lib.rs", "mod a; mod b; mod c;");
    write(
        "a/mod.rs",
        "mod x; mod y; pub use x::{X, one as first}; // crate::c::C\n",
    );
    write(
        "a/x.rs",
        "pub struct X; pub fn one() { super::y::two(\"super::y\") }",
    );
    write(
        "a/y.rs",
        "use crate::{b::B, c}; pub fn two() { c::three() }",
    );
    write("b.rs", "use crate::a::{X, first}; pub struct B(X);");
    write(
        "c.rs",
        "pub fn three() {} #[cfg(test)] mod tests { use crate::b::B; }",
    );
    let arrows = House::read(dir.path()).arrows();
    let pairs: Vec<String> = arrows.keys().map(|(a, b)| format!("{a} {b}")).collect();
    assert_eq!(
        pairs,
        ["a/x.rs a/y.rs", "a/y.rs b.rs", "a/y.rs c.rs", "b.rs a/x.rs"]
    );
    let names = &arrows[&("b.rs".to_string(), "a/x.rs".to_string())];
    assert!(names.iter().eq(["X", "one"]), "{names:?}");
    let circles = circles(&arrows);
    let circle: BTreeSet<String> = ["a/x.rs", "a/y.rs", "b.rs"].map(String::from).into();
    assert_eq!(circles, BTreeSet::from([circle]));
}
