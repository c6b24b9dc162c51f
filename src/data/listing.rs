//! The picture files of a split, by class.

use super::faults::Faults;
use super::left_out::{Kind, LeftOut};
use super::picture::{is_picture, no_picture};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::{files, foreign};
use rayon::prelude::*;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Extensions that promise a picture that is read.
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// A class folder.
pub(super) struct Class {
    pub name: OsString,
    /// Its pictures and those in folders below it, sorted by path.
    pub pictures: Vec<PathBuf>,
}

/// Lists the class folders below `split`, sorted by name. Files that are no pictures are counted
/// in `left_out`; those that cannot be read, or only look like pictures, are put into `faults`.
pub(super) fn list(
    split: &Path,
    left_out: &mut LeftOut,
    faults: &mut Faults,
) -> Result<Vec<Class>> {
    let mut classes = Vec::new();
    for name in entries(split)? {
        let path = split.join(&name);
        if !path.is_dir() {
            left_out.add(Kind::Outside);
            continue;
        }
        let mut paths = Vec::new();
        let mut failure = None;
        walk(&path, &mut Vec::new(), &mut paths, &mut |e| {
            failure.get_or_insert(e);
        });
        failure.map_or(Ok(()), Err)?;
        paths.sort_unstable();
        let kinds: Vec<_> = paths.par_iter().map(|path| look(path)).collect();
        let mut pictures = Vec::new();
        for (path, kind) in paths.into_iter().zip(kinds) {
            match faults.take(kind) {
                Some(None) => pictures.push(path),
                Some(Some(kind)) => left_out.add(kind),
                None => {}
            }
        }
        classes.push(Class { name, pictures });
    }
    Ok(classes)
}

/// Counts in `left_out` what is in `dir` beside the folders of the splits.
pub(super) fn count_others(dir: &Path, splits: &[&str], left_out: &mut LeftOut) -> Result<()> {
    let others = entries(dir)?;
    let others = others
        .iter()
        .filter(|name| !splits.iter().any(|split| name == split));
    others.for_each(|_| left_out.add(Kind::NoSplit));
    Ok(())
}

/// Collects the files in `dir` and in the folders below it, and tells of each folder that cannot
/// be read. `above` holds the folders around it: a link to one of them would lead round for ever.
pub(super) fn walk(
    dir: &Path,
    above: &mut Vec<PathBuf>,
    paths: &mut Vec<PathBuf>,
    failed: &mut dyn FnMut(Error),
) {
    let place = dir.canonicalize();
    let place = place.map_err(|error| Error::io("read the folder", dir, error));
    let (place, names) = match place.and_then(|place| Ok((place, entries(dir)?))) {
        Ok(found) => found,
        Err(error) => return failed(error),
    };
    if above.contains(&place) {
        return failed(
            Error::new(format!(
                "{} is a link to a folder that it is in",
                dir.shown()
            ))
            .help("remove the link"),
        );
    }
    above.push(place);
    for name in names {
        let path = dir.join(name);
        if path.is_dir() {
            walk(&path, above, paths, failed);
        } else {
            paths.push(path);
        }
    }
    above.pop();
}

/// Lists the names in `dir`, sorted; those that begin with a dot belong to the system.
fn entries(dir: &Path) -> Result<Vec<OsString>> {
    let failed = |error| Error::io("read the folder", dir, error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name());
    }
    names.retain(|name| !name.to_string_lossy().starts_with('.'));
    names.sort_unstable();
    Ok(names)
}

/// Looks at the beginning of a file: the kind that it is left out as, or none for a picture that
/// is read. Names lie, but one that promises such a picture must not be passed over unless
/// another picture is there.
pub(super) fn look(path: &Path) -> Result<Option<Kind>> {
    let head = files::read_head(path, foreign::HEAD)
        .map_err(|error| Error::io("read", path, error).help("replace or remove it"))?;
    if is_picture(&head) {
        return Ok(None);
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    let promises =
        extension.is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)));
    match foreign::recognize(&head) {
        Some(foreign) if foreign.is_picture() || !promises => Ok(Some(Kind::Known(foreign))),
        None if !promises => Ok(Some(Kind::Other)),
        Some(_) | None => Err(no_picture(path, &head)),
    }
}
