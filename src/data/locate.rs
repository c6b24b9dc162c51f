//! Where a dataset's files are, and what to say where they are not.

use super::Request;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// How a dataset that comes as files is known.
pub(super) struct Source {
    /// Name in `data:` and `--data`.
    pub name: &'static str,
    /// Folders that it usually unpacks to, below one that holds several datasets.
    pub folders: &'static [&'static str],
    /// Names of the file by which its folder is known.
    pub marker: &'static [&'static str],
    /// Where it can be had.
    pub homepage: &'static str,
}

impl Source {
    /// The folder that holds the dataset: below `--data-dir` or that folder itself;
    /// without the flag, below `root`, the value of `VANC_DATA`.
    ///
    /// Usual subfolders come first, because MNIST and Fashion-MNIST name their files
    /// alike and only the folder tells them apart. For the same reason `root` itself,
    /// which is meant for all of them, does not count.
    pub fn locate(&self, request: &Request, root: Option<&Path>) -> Result<PathBuf> {
        let needs = format!("{} needs the file {}", self.name, self.marker[0]);
        let Some(parent) = request.dir.or(root) else {
            return Err(self.missing(&format!("{needs}, but no folder to look in was given")));
        };
        if !parent.is_dir() {
            let parent = parent.display();
            return Err(self.missing(&format!("{needs}, but there is no folder {parent}")));
        }
        let mut places: Vec<PathBuf> = self.folders.iter().map(|name| parent.join(name)).collect();
        places.extend(request.dir.map(PathBuf::from));
        if let Some(found) = places
            .iter()
            .find(|place| find(place, self.marker).is_some())
        {
            return Ok(found.clone());
        }
        let looked: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
        Err(self.missing(&format!("{needs}, which is not in {}", looked.join(", "))))
    }

    /// The file of one of the `names` in `dir`, or the error that there is none.
    pub fn file(&self, dir: &Path, names: &[&str]) -> Result<PathBuf> {
        find(dir, names).ok_or_else(|| {
            self.missing(&format!(
                "{} needs the file {}, which is not in {}",
                self.name,
                names[0],
                dir.display()
            ))
        })
    }

    fn missing(&self, message: &str) -> Error {
        Error::new(message).help(format!(
            "get it from {} and give its folder by `--data-dir DIR`, or the folder that holds \
             {}/ by the environment variable VANC_DATA; \
             to go on at once without files: `--data synthetic`",
            self.homepage, self.folders[0]
        ))
    }
}

/// The first of the `names` that is a file in `dir`.
fn find(dir: &Path, names: &[&str]) -> Option<PathBuf> {
    names
        .iter()
        .map(|name| dir.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{DatasetKind, Shape};

    const SOURCE: Source = Source {
        name: "dots",
        folders: &["dots", "DOTS/raw"],
        marker: &["dots.bin", "dots.bin.gz"],
        homepage: "https://dots.example",
    };

    fn locate(dir: Option<&Path>, root: Option<&Path>) -> Result<PathBuf> {
        let request = Request {
            kind: DatasetKind::Folder,
            dir,
            input: Shape::image(1, 1, 1),
            classes: 1,
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
        for error in [locate(None, None), locate(Some(nowhere), None)] {
            let text = error.unwrap_err().to_string();
            for part in [
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
