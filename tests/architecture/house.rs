//! The files of `src`, and which uses which.

use super::scan::{self, Import, Token};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file of `src`.
struct File {
    /// Path below `src`.
    path: String,
    imports: Vec<Import>,
    /// Code without imports.
    code: Vec<Token>,
    /// Names of the items that it defines.
    items: BTreeSet<String>,
}

/// Files of `src`, by the path of their module.
pub struct House {
    files: BTreeMap<Vec<String>, File>,
}

/// An arrow from a file to one that it uses, and the names that it takes from there.
pub type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

/// End that a path leads to.
enum End {
    /// A module.
    Module(Vec<String>),
    /// An item in the file of this module, and its name.
    Item(Vec<String>, String),
    /// Something outside the program.
    Outside,
}

const DEFINING: [&str; 10] = [
    "fn",
    "struct",
    "enum",
    "trait",
    "const",
    "static",
    "type",
    "union",
    "macro_rules",
    "mod",
];

impl House {
    /// Reads every file below `src`, without what is only there in tests.
    pub fn read(src: &Path) -> House {
        let mut paths = Vec::new();
        collect(src, &mut paths);
        let mut files = BTreeMap::new();
        for path in paths {
            let name = path.strip_prefix(src).expect("below src");
            let module = module(name);
            if name == Path::new("main.rs") || module.iter().any(|part| part == "tests") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source file");
            let tokens = scan::without_tests(scan::tokens(&text));
            let (imports, code) = scan::imports(&tokens);
            let items = items(&code);
            let path = name.display().to_string();
            let file = File {
                path,
                imports,
                code,
                items,
            };
            files.insert(module, file);
        }
        House { files }
    }

    /// The rooms: top folders and files of `src`.
    pub fn rooms(&self) -> BTreeSet<String> {
        let modules = self.files.keys();
        modules
            .filter_map(|module| module.first().cloned())
            .collect()
    }

    /// Lists the arrows between files.
    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (module, file) in &self.files {
            for path in self.used(module, file) {
                let Some(End::Item(target, name)) = self.follow(module, &path, 0) else {
                    continue;
                };
                let target = &self.files[&target].path;
                if *target != file.path {
                    let pair = (file.path.clone(), target.clone());
                    arrows.entry(pair).or_default().insert(name);
                }
            }
        }
        arrows
    }

    /// Paths that a file names: its imports, but for those that it only hands on, and the
    /// paths in its code.
    fn used(&self, module: &[String], file: &File) -> Vec<Vec<String>> {
        let is_named = |name: &str| file.code.iter().any(|token| token.is(name));
        let imports = file
            .imports
            .iter()
            .filter(|import| !import.public || is_named(&import.name))
            .map(|import| {
                let mut path = import.path.clone();
                if import.glob {
                    path.push("*".into());
                }
                path
            });
        let mut used: Vec<_> = imports.collect();
        for path in paths(&file.code) {
            let head = path[0].as_str();
            let begins = ["crate", "self", "super"].contains(&head)
                || self.files.contains_key(&child(module, head))
                || file.imports.iter().any(|import| import.name == head);
            if begins {
                used.push(path);
            }
        }
        used
    }

    /// Finds what `path`, written in `module`, leads to.
    fn follow(&self, module: &[String], path: &[String], depth: usize) -> Option<End> {
        if depth > 16 {
            return None;
        }
        let mut place = module.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (place, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    place.pop();
                    rest = &rest[1..];
                }
            }
            head => {
                let file = self.files.get(module)?;
                let is_child = self.files.contains_key(&child(module, head));
                let import = file.imports.iter().find(|import| import.name == head);
                match import {
                    Some(import) if !is_child && import.path != path => {
                        let full = [&import.path, &path[1..]].concat();
                        return self.follow(module, &full, depth + 1);
                    }
                    _ if is_child => {}
                    _ => return Some(End::Outside),
                }
            }
        }
        self.descend(place, rest, depth)
    }

    /// Finds what `rest` leads to from the module `place`.
    fn descend(&self, mut place: Vec<String>, rest: &[String], depth: usize) -> Option<End> {
        for (i, part) in rest.iter().enumerate() {
            let below = child(&place, part);
            if self.files.contains_key(&below) {
                place = below;
                continue;
            }
            let file = self.files.get(&place)?;
            let handed_on = file.imports.iter().find(|import| import.name == *part);
            if let Some(import) = handed_on.filter(|_| !file.items.contains(part)) {
                let full = [&import.path, &rest[i + 1..]].concat();
                return self.follow(&place, &full, depth + 1);
            }
            if !file.items.contains(part) {
                let globs = file.imports.iter().filter(|import| import.glob);
                for import in globs {
                    let Some(End::Module(source)) = self.follow(&place, &import.path, depth + 1)
                    else {
                        continue;
                    };
                    if self.files[&source].items.contains(part) {
                        return Some(End::Item(source, part.clone()));
                    }
                }
            }
            return Some(End::Item(place, part.clone()));
        }
        Some(End::Module(place))
    }
}

fn child(module: &[String], name: &str) -> Vec<String> {
    [module, &[name.to_string()]].concat()
}

fn collect(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The module of the file at `path` below `src`.
fn module(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    let parts: Vec<String> = parts.collect();
    match parts.split_last() {
        Some((last, before)) if last == "mod" || last == "lib" => before.to_vec(),
        _ => parts,
    }
}

/// Names that stand after a word that defines one.
fn items(code: &[Token]) -> BTreeSet<String> {
    let defines = |token: &Token| DEFINING.iter().any(|word| token.is(word));
    let names = code.windows(3).filter_map(|three| {
        let [word, name, after] = three else {
            return None;
        };
        match (defines(word), name) {
            (true, Token::Sign('!')) => after.name(),
            (true, name) => name.name(),
            (false, _) => None,
        }
    });
    names.map(String::from).collect()
}

/// Paths of two names and more.
fn paths(code: &[Token]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut joined = false;
    for token in code.iter().chain([&Token::Sign(';')]) {
        match token {
            Token::Name(name) if joined && !path.is_empty() => path.push(name.clone()),
            Token::Path => {
                joined = true;
                continue;
            }
            other @ (Token::Name(_) | Token::Sign(_)) => {
                if path.len() > 1 {
                    paths.push(std::mem::take(&mut path));
                }
                path = other.name().map(String::from).into_iter().collect();
            }
        }
        joined = false;
    }
    paths
}
