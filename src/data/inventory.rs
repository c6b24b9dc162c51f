//! Inventory of a dataset's files, from their names and lengths. Only a gzip file of another
//! length than the published one is unpacked, since the same bytes can be packed in many ways.

use super::locate::{Part, Source, find};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::{files, text};
use flate2::bufread::MultiGzDecoder;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Files of a dataset that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Folder that the dataset is read from; none if no file was found.
    pub dir: Option<PathBuf>,
    /// Number of files found.
    pub files: usize,
    /// Total length of the files found, in bytes.
    pub bytes: u64,
    /// Reasons why the dataset is not complete: files that are missing, damaged, or of another
    /// length than the published one.
    pub faults: Vec<String>,
}

impl Inventory {
    /// Whether every file is there, with its published length, packed in whatever way.
    pub fn is_complete(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Takes stock of the first of `places` that has the dataset's marker file, or else of the
/// first that has any of its files.
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
        let file = dir.and_then(|dir| find(dir, part.names));
        let length = file
            .as_ref()
            .and_then(|file| Some(file.metadata().ok()?.len()));
        let (Some(file), Some(length)) = (file, length) else {
            let name = part.names.first().unwrap_or(&"a file");
            inventory.faults.push(format!("{name} is missing"));
            continue;
        };
        inventory.files += 1;
        inventory.bytes += length;
        if length == part.plain || Some(length) == part.packed {
            continue;
        }
        let name = file.file_name().map(Path::new).unwrap_or(&file);
        match content(&file, part, length) {
            Err(error) => inventory.faults.push(error.message),
            Ok(bytes) if bytes == part.plain => {}
            Ok(bytes) if bytes > part.plain && bytes != length => {
                inventory.faults.push(format!(
                    "{} unpacks to more than {} bytes",
                    name.shown(),
                    text::grouped(part.plain.into())
                ));
            }
            Ok(bytes) => inventory.faults.push(format!(
                "{} has {} bytes instead of {}",
                name.shown(),
                text::grouped(bytes.into()),
                text::grouped(part.plain.into()),
            )),
        }
    }
    inventory
}

/// Counts the bytes in a file of `length` bytes, unpacked if it is packed; no more than one too
/// many.
fn content(path: &Path, part: &Part, length: u64) -> Result<u64> {
    let damaged = |e: std::io::Error| {
        let name = path.file_name().map(Path::new).unwrap_or(path);
        Error::new(format!("{} is damaged: {e}", name.shown()))
    };
    let head = files::read_head(path, 2).map_err(damaged)?;
    if part.packed.is_none() || head != [0x1f, 0x8b] {
        return Ok(length);
    }
    let file = files::open(path).map_err(damaged)?;
    let unpacked = MultiGzDecoder::new(BufReader::new(file));
    let mut unpacked = unpacked.take(part.plain.saturating_add(1));
    std::io::copy(&mut unpacked, &mut std::io::sink()).map_err(damaged)
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
            faults(&["a has 1 bytes instead of 4"])
        );
        // A reader looks into this folder only once its first file is there.
        put(root.join("dots/b"), b"123");
        assert_eq!(inventory(root).dir, Some(root.join("DOTS/raw")));
        put(root.join("dots/a"), b"1234");
        assert_eq!(inventory(root).dir, Some(root.join("dots")));
        assert!(inventory(root).is_complete());
    }

    /// The same bytes, packed by another program, are the same file; a damaged one is not.
    #[test]
    fn packed_files_are_compared_by_their_content() {
        use flate2::{Compression, write::GzEncoder};
        use std::io::Write;
        let pack = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let root = tempfile::tempdir().unwrap();
        let (root, file) = (root.path(), root.path().join("dots/a.gz"));
        put(root.join("dots/b"), b"123");
        let good = pack(b"1234");
        put(file.clone(), &good);
        assert!(
            inventory(root).is_complete(),
            "{:?}",
            inventory(root).faults
        );
        put(file.clone(), &pack(b"123"));
        assert_eq!(inventory(root).faults, ["a.gz has 3 bytes instead of 4"]);
        put(file.clone(), &pack(b"12345678"));
        assert_eq!(
            inventory(root).faults,
            ["a.gz unpacks to more than 4 bytes"]
        );
        let mut flipped = good.clone();
        flipped[good.len() - 6] ^= 1;
        for bytes in [&flipped, &good[..good.len() - 1]] {
            put(file.clone(), bytes);
            let fault = inventory(root).faults.remove(0);
            assert!(fault.starts_with("a.gz is damaged: "), "{fault}");
        }
    }
}
