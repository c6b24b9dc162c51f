//! Unpacks the wanted files of a `.tar.gz`, whatever else is in it.
//!
//! The archive's sum is known to be right by then. Nevertheless nothing is written but
//! the wanted files, under their own names, at their own lengths; an archive with a path
//! out of its folder, a link or a device, or with more in it than there should be, is
//! refused.

use super::super::Member;
use super::failure::write_error;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use tar::{Archive, Entry, EntryType};

/// Largest number of bytes in an archive besides the wanted files: headers, a page about
/// them.
const BESIDE: u64 = 1 << 20;

/// Unpacks `members` of the archive at `path` into `dir`.
pub(super) fn unpack(
    archive: &mut File,
    path: &Path,
    members: &[Member],
    dir: &Path,
) -> Result<()> {
    let failed = |e| unreadable(path, e);
    archive.seek(SeekFrom::Start(0)).map_err(failed)?;
    let wanted_bytes: u64 = members.iter().map(|member| member.bytes).sum();
    let limit = wanted_bytes.saturating_add(BESIDE);
    let unzipped = Bounded {
        inner: MultiGzDecoder::new(BufReader::new(archive)),
        left: limit,
        limit,
    };
    let mut tar = Archive::new(unzipped);
    let mut written = vec![false; members.len()];
    for entry in tar.entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Some(name) = plain_file(&entry, path)? else {
            continue;
        };
        let Some(which) = members.iter().position(|m| Path::new(m.path) == name) else {
            continue;
        };
        let (member, length) = (&members[which], entry.size());
        if length != member.bytes || written[which] {
            let what = match written[which] {
                true => format!("holds {} twice", member.path),
                false => format!(
                    "holds {} with {length} bytes instead of {}",
                    member.path, member.bytes
                ),
            };
            return Err(refused(path, &what));
        }
        write(entry, &temporary(dir, member), path)?;
        written[which] = true;
    }
    if let Some(which) = written.iter().position(|written| !written) {
        return Err(refused(path, &format!("lacks {}", members[which].path)));
    }
    for member in members {
        let to = dir.join(member.name());
        std::fs::rename(temporary(dir, member), &to).map_err(|e| write_error("write", &to, e))?;
    }
    Ok(())
}

/// Path that a member is written to until all of them are complete.
fn temporary(dir: &Path, member: &Member) -> PathBuf {
    dir.join(format!("{}.part", member.name()))
}

/// Path of `entry`, without `.`, if it is a plain file; none if it is a folder.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "archives have kinds of entries that nobody knows"
)]
fn plain_file<R: Read>(entry: &Entry<R>, archive: &Path) -> Result<Option<PathBuf>> {
    let path = entry.path().map_err(|e| unreadable(archive, e))?;
    let mut name = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => name.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                let what = format!("holds a path out of its folder: {}", path.shown());
                return Err(refused(archive, &what));
            }
        }
    }
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => Ok(Some(name)),
        EntryType::Directory | EntryType::XGlobalHeader => Ok(None),
        // Links, devices, pipes, and kinds that nobody knows.
        _ => {
            let what = format!("holds {}, which is no plain file", path.shown());
            Err(refused(archive, &what))
        }
    }
}

fn write<R: Read>(mut entry: Entry<R>, to: &Path, archive: &Path) -> Result<()> {
    let length = entry.size();
    // The file that it becomes is the one that a person knows.
    let named = to.with_extension("");
    let mut file = files::create(to).map_err(|e| write_error("write", &named, e))?;
    // Reading and writing fail for different reasons.
    let mut block = vec![0; 1 << 16];
    let mut got = 0;
    while got < length {
        match entry.read(&mut block).map_err(|e| unreadable(archive, e))? {
            0 => return Err(refused(archive, "ends within a file")),
            read => {
                std::io::Write::write_all(&mut file, &block[..read])
                    .map_err(|e| write_error("write", &named, e))?;
                got += read as u64;
            }
        }
    }
    file.sync_all().map_err(|e| write_error("write", &named, e))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::io("unpack", path, error).help("remove the file and fetch the data again")
}

fn refused(path: &Path, what: &str) -> Error {
    Error::new(format!("{} {what}", path.shown()))
        .help("the archive is not the published one; remove it and fetch the data again")
}

/// A reader that fails after a number of bytes, since a small archive can unpack to any
/// length.
struct Bounded<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(got as u64).ok_or_else(|| {
            std::io::Error::other(format!("it unpacks to more than {} bytes", self.limit))
        })?;
        Ok(got)
    }
}
