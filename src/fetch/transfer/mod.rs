//! Files of a dataset from its mirrors into a folder.
//!
//! Each comes from the first of several mirrors that has it: `http` asks for it, `download`
//! goes on where it broke off and checks its sum, `unpack` takes the wanted files out of an
//! archive. Whenever the process ends, a file is either whole under its own name or begun
//! as `NAME.part`, which the next one goes on with.

mod download;
mod failure;
mod http;
mod options;
mod unpack;

pub use options::{Event, Options, Watch};

use super::{Dataset, File};
use crate::error::{Error, Result};
use failure::write_error;
use std::io::ErrorKind;
use std::path::Path;

/// Fetches the files of `dataset` into the folder `dir`, which is made if it does not exist.
/// Files that are there, with their published length, are left alone.
///
/// # Errors
///
/// Where no mirror gives a file with the right sum, where an archive is not what it
/// should be, and where `dir` cannot be written.
pub fn fetch(dataset: &Dataset, dir: &Path, options: &Options, watch: Watch) -> Result<()> {
    let mirrors = match &options.from {
        Some(base) => vec![check_base(base)?],
        None => dataset.mirrors.to_vec(),
    };
    std::fs::create_dir_all(dir).map_err(|e| write_error("make the folder", dir, e))?;
    let client = http::Client::new(options.stall)?;
    for file in dataset.files {
        if is_in(file, dir) && !options.force {
            continue;
        }
        let part = file.part(dir);
        watch(Event::Begun { file, part: &part });
        let urls: Vec<String> = mirrors
            .iter()
            .map(|base| format!("{}/{}", base.trim_end_matches('/'), file.name))
            .collect();
        let mut whole = download::download(file, &part, &urls, &client, options, watch)?;
        if file.members.is_empty() {
            let path = dir.join(file.name);
            std::fs::rename(&part, &path).map_err(|e| write_error("write", &path, e))?;
        } else {
            watch(Event::Unpacking);
            unpack::unpack(&mut whole, &part, file.members, dir)?;
            std::fs::remove_file(&part).map_err(|e| write_error("remove", &part, e))?;
        }
    }
    Ok(())
}

/// Removes partial files from `dir` that a process killed just before its end left beside
/// complete files of `dataset`.
///
/// # Errors
///
/// When such a file cannot be removed.
pub fn tidy(dataset: &Dataset, dir: &Path) -> Result<()> {
    for file in dataset.files.iter().filter(|file| is_in(file, dir)) {
        let part = file.part(dir);
        match std::fs::remove_file(&part) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(write_error("remove", &part, e));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Whether all that `file` leaves is in `dir`, at its length.
fn is_in(file: &File, dir: &Path) -> bool {
    let length = |name: &str| dir.join(name).metadata().ok().map(|m| m.len());
    let placed = file.placed();
    placed
        .into_iter()
        .all(|(name, bytes)| length(name) == Some(bytes))
}

/// Returns `base` if it can be the URL of a folder.
pub(crate) fn check_base(base: &str) -> Result<&str> {
    let refused = |why: &str| {
        Error::new(format!("--from {base}: {why}"))
            .help("give the URL of a folder that holds the files, like http://mirror.example/mnist")
    };
    let url: ureq::http::Uri = base
        .parse()
        .map_err(|e| refused(&format!("it is no URL: {e}")))?;
    match url.scheme_str() {
        Some("http" | "https") => {}
        Some(_) | None => return Err(refused("it begins with neither http:// nor https://")),
    }
    if url.host().is_none_or(str::is_empty) {
        return Err(refused("it names no host"));
    }
    if url.query().is_some() {
        return Err(refused(
            "it has a query, so nothing can be looked for in it",
        ));
    }
    Ok(base)
}
