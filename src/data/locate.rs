//! The places of a dataset's files on disk, and errors for files that are missing.

use super::Request;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::text::quote;
use std::path::{Path, PathBuf};

/// Description of a dataset that comes as files.
pub(super) struct Source {
    /// Name of the dataset in `data:` and `--data`.
    pub name: &'static str,
    /// Usual folders of the dataset, below one that holds several datasets.
    pub folders: &'static [&'static str],
    /// Files of the dataset; the first marks its folder.
    pub parts: &'static [Part],
    /// URL of the dataset's publisher.
    pub homepage: &'static str,
}

/// A file of a dataset.
pub(super) struct Part {
    /// Possible names of the file, in the order in which they are tried.
    pub names: &'static [&'static str],
    /// Published length in bytes.
    pub plain: u64,
    /// Published length in bytes of the gzip form, if there is one.
    pub packed: Option<u64>,
}

/// Finds the folder of datasets if no flag names one: the environment variable `VANC_DATA`, else
/// `vanc/data` in the platform's folder for data. None without a home folder.
pub fn folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    match std::env::var_os("VANC_DATA").filter(|root| !root.is_empty()) {
        Some(root) => Some(root.into()),
        None => {
            let platform = etcetera::base_strategy::choose_native_strategy().ok()?;
            Some(platform.data_dir().join("vanc").join("data"))
        }
    }
}

impl Source {
    /// Lists possible names of the file that marks the dataset's folder.
    pub fn marker(&self) -> &'static [&'static str] {
        self.parts.first().map_or(&[], |part| part.names)
    }

    /// Lists the folders to look in: those below `dir` (the value of `--data-dir`) and `dir`
    /// itself; or, without the flag, those below `root` (the value of [`folder`]).
    ///
    /// Usual subfolders come first, because MNIST and Fashion-MNIST name their files
    /// alike and only the folder tells them apart. For the same reason `root` itself,
    /// which is meant for all of them, does not count.
    pub fn places(&self, dir: Option<&Path>, root: Option<&Path>) -> Vec<PathBuf> {
        let parent = dir.or(root);
        let below = |parent: &Path| self.folders.iter().map(|name| parent.join(name)).collect();
        let mut places: Vec<PathBuf> = parent.map(below).unwrap_or_default();
        places.extend(dir.map(PathBuf::from));
        places
    }

    /// Finds the folder of the dataset among its [places](Source::places).
    pub fn locate(&self, request: &Request, root: Option<&Path>) -> Result<PathBuf> {
        let marker = self.marker();
        let needs = format!(
            "{} needs the file {}",
            self.name,
            marker.first().unwrap_or(&"")
        );
        let missing = |message: String| self.missing(&message, request.dir);
        let Some(parent) = request.dir.or(root) else {
            return Err(missing(format!(
                "{needs}, but no folder to look in was given"
            )));
        };
        if !parent.is_dir() {
            let parent = parent.shown();
            return Err(missing(format!("{needs}, but there is no folder {parent}")));
        }
        let places = self.places(request.dir, root);
        if let Some(found) = places.iter().find(|place| find(place, marker).is_some()) {
            return Ok(found.clone());
        }
        let looked: Vec<String> = places.iter().map(|p| p.shown()).collect();
        Err(missing(format!(
            "{needs}, which is not in {}",
            looked.join(", ")
        )))
    }

    /// Finds the path of the file with one of the `names` in `dir`; an error if there is none.
    pub fn file(&self, request: &Request, dir: &Path, names: &[&str]) -> Result<PathBuf> {
        find(dir, names).ok_or_else(|| {
            let message = format!(
                "{} needs the file {}, which is not in {}",
                self.name,
                names[0],
                dir.shown()
            );
            self.missing(&message, request.dir)
        })
    }

    /// Writes the command that fetches the dataset into the place where it is looked for.
    pub fn command(&self, dir: Option<&Path>) -> String {
        let folder = dir.map(|dir| format!(" --data-dir {}", quote(&dir.display().to_string())));
        format!(
            "vanc data fetch {}{}",
            self.name,
            folder.unwrap_or_default()
        )
    }

    fn missing(&self, message: &str, dir: Option<&Path>) -> Error {
        Error::new(message).help(format!(
            "fetch it with `{}`; files of your own, from {}, are found by `--data-dir DIR`, or \
             in {}/ below the folder that the environment variable VANC_DATA names; \
             to go on at once without files: `--data synthetic`",
            self.command(dir),
            self.homepage,
            self.folders[0]
        ))
    }
}

/// Finds the path of the first of the `names` that is in `dir` and no folder. What cannot be read
/// is found, too: whoever reads it says why.
pub(super) fn find(dir: &Path, names: &[&str]) -> Option<PathBuf> {
    names
        .iter()
        .map(|name| dir.join(name))
        .find(|path| path.metadata().is_ok_and(|there| !there.is_dir()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{DatasetKind, Shape};

    const SOURCE: Source = Source {
        name: "dots",
        folders: &["dots", "DOTS/raw"],
        parts: &[Part {
            names: &["dots.bin", "dots.bin.gz"],
            plain: 0,
            packed: None,
        }],
        homepage: "https://dots.example",
    };

    fn locate(dir: Option<&Path>, root: Option<&Path>) -> Result<PathBuf> {
        let request = Request {
            kind: DatasetKind::Folder,
            dir,
            input: Shape::image(1, 1, 1),
            classes: 1,
            trained: None,
        };
        SOURCE.locate(&request, root)
    }

    fn put(dir: &Path, file: &str) -> PathBuf {
        let path = dir.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, []).unwrap();
        path.parent().unwrap().to_path_buf()
    }

    #[test]
    fn the_flag_goes_before_the_variable_and_subfolders_before_the_folder() {
        let (dir, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (dir, root) = (dir.path(), root.path());
        let below_root = put(root, "dots/dots.bin");
        assert_eq!(locate(None, Some(root)), Ok(below_root));
        // What the flag names is not replaced by something else, found elsewhere.
        assert!(locate(Some(dir), Some(root)).is_err());
        let itself = put(dir, "dots.bin.gz");
        assert_eq!(locate(Some(dir), Some(root)), Ok(itself));
        let raw = put(dir, "DOTS/raw/dots.bin");
        assert_eq!(locate(Some(dir), None), Ok(raw));
        let first = put(dir, "dots/dots.bin");
        assert_eq!(locate(Some(dir), None), Ok(first));
    }

    #[test]
    fn the_folder_of_the_variable_itself_is_no_dataset() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "dots.bin");
        let error = locate(None, Some(root.path())).unwrap_err();
        let looked = root.path().join("dots").display().to_string();
        assert!(error.message.contains("dots.bin") && error.message.contains(&looked));
    }

    #[test]
    fn the_error_says_what_to_do() {
        let nowhere = Path::new("/nowhere/at/all");
        for (error, fetch) in [
            (locate(None, None), "`vanc data fetch dots`"),
            (
                locate(Some(nowhere), None),
                "`vanc data fetch dots --data-dir /nowhere/at/all`",
            ),
        ] {
            let text = error.unwrap_err().to_string();
            for part in [
                fetch,
                "dots.bin",
                "dots.example",
                "--data-dir",
                "VANC_DATA",
                "--data synthetic",
            ] {
                assert!(text.contains(part), "no {part} in {text}");
            }
        }
    }
}
