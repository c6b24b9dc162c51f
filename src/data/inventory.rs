//! What there is of a dataset, told from names and lengths alone.

use super::locate::{Source, find};
use crate::text;
use std::path::{Path, PathBuf};

/// What there is of a dataset that comes as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The folder that it is read from; nothing where none of its files was found.
    pub dir: Option<PathBuf>,
    /// Files that are there.
    pub files: usize,
    /// Their length in all.
    pub bytes: u64,
    /// Why it is not complete: files that are missing, or of another length than the
    /// published ones.
    pub faults: Vec<String>,
}

impl Inventory {
    /// Whether every file is there, at its published length.
    pub fn is_complete(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Looks into the first of `places` with the file that a reader goes by, else into the
/// first with any of the files.
pub(super) fn take(source: &Source, places: &[PathBuf]) -> Inventory {
    let has_any = |place: &&PathBuf| source.parts.iter().any(|p| find(place, p.names).is_some());
    let dir = places
        .iter()
        .find(|place| find(place, source.marker()).is_some())
        .or_else(|| places.iter().find(has_any));
    let mut inventory = Inventory {
        dir: dir.cloned(),
        files: 0,
        bytes: 0,
        faults: Vec::new(),
    };
    for part in source.parts {
        let found = dir.and_then(|dir| find(dir, part.names));
        let length = found
            .as_ref()
            .and_then(|file| file.metadata().ok())
            .map(|m| m.len());
        let name = found.as_deref().and_then(Path::file_name);
        match (name, length) {
            (Some(name), Some(length)) => {
                inventory.files += 1;
                inventory.bytes += length;
                if length != part.plain && Some(length) != part.packed {
                    let published = part.packed.unwrap_or(part.plain);
                    inventory.faults.push(format!(
                        "{} has {} bytes instead of {}",
                        name.display(),
                        text::grouped(length.into()),
                        text::grouped(published.into()),
                    ));
                }
            }
            (_, _) => {
                let name = part.names.first().unwrap_or(&"a file");
                inventory.faults.push(format!("{name} is missing"));
            }
        }
    }
    inventory
}

#[cfg(test)]
mod tests {
    use super::super::locate::Part;
    use super::*;

    const SOURCE: Source = Source {
        name: "dots",
        folders: &["dots", "DOTS/raw"],
        parts: &[
            Part {
                names: &["a", "a.gz"],
                plain: 4,
                packed: Some(2),
            },
            Part {
                names: &["b"],
                plain: 3,
                packed: None,
            },
        ],
        homepage: "https://dots.example",
    };

    fn inventory(root: &Path) -> Inventory {
        take(&SOURCE, &SOURCE.places(None, Some(root)))
    }

    fn put(path: PathBuf, bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn missing_files_and_other_lengths_are_named() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let faults = |faults: &[&str]| faults.iter().map(|f| f.to_string()).collect::<Vec<_>>();
        assert_eq!(
            inventory(root).faults,
            faults(&["a is missing", "b is missing"])
        );
        assert_eq!((inventory(root).dir, inventory(root).files), (None, 0));
        put(root.join("DOTS/raw/a.gz"), b"12");
        assert_eq!(inventory(root).dir, Some(root.join("DOTS/raw")));
        assert_eq!(inventory(root).faults, faults(&["b is missing"]));
        put(root.join("DOTS/raw/b"), b"1234");
        assert_eq!(
            inventory(root).faults,
            faults(&["b has 4 bytes instead of 3"])
        );
        put(root.join("DOTS/raw/b"), b"123");
        assert!(inventory(root).is_complete());
        assert_eq!((inventory(root).files, inventory(root).bytes), (2, 5));
        // The unpacked file is read first, so it is the one that counts.
        put(root.join("DOTS/raw/a"), b"1");
        assert_eq!(
            inventory(root).faults,
            faults(&["a has 1 bytes instead of 2"])
        );
        // A reader looks into this folder only once its first file is there.
        put(root.join("dots/b"), b"123");
        assert_eq!(inventory(root).dir, Some(root.join("DOTS/raw")));
        put(root.join("dots/a"), b"1234");
        assert_eq!(inventory(root).dir, Some(root.join("dots")));
        assert!(inventory(root).is_complete());
    }
}
