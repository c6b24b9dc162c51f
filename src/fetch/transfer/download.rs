//! The download of one file, resumed across mirrors and processes.
//!
//! Bytes are appended to `NAME.part`. All mirrors have the same file, known by its
//! length and sum, so whichever comes next goes on where the one before broke off.

use super::failure::write_error;
use super::http::{Client, Failure};
use super::options::{Event, Options, Watch};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// Longest wait between two tries.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// Bytes read, hashed and written at once.
const BLOCK: usize = 1 << 16;

/// Downloads `file` into `part` from any of `urls`, and returns it open, complete and with
/// the right sum.
pub(super) fn download(
    file: &super::File,
    part: &Path,
    urls: &[String],
    client: &Client,
    options: &Options,
    watch: Watch,
) -> Result<File> {
    let mut mirrors = Mirrors::new(urls, options);
    let mut download = Download {
        file,
        part,
        out: open(part)?,
        length: 0,
        from_start: None,
        last: 0,
        client,
        watch,
    };
    download.length = download.begun()?;
    watch(Event::At(download.length));
    loop {
        if download.length == file.bytes {
            watch(Event::Checking);
            if download.sum_is_right()? {
                let synced = download.out.sync_all();
                synced.map_err(|e| write_error("write", part, e))?;
                return Ok(download.out);
            }
            download.spoiled(&mut mirrors)?;
        }
        let Some((mirror, wait)) = mirrors.turn() else {
            return Err(given_up(file, part, download.length, &mirrors));
        };
        std::thread::sleep(wait);
        let before = download.length;
        let url = mirrors.all[mirror].url;
        if let Err(failure) = download.go_on(mirror, url)? {
            watch(Event::Trouble(&format!("{url} {}", failure.what)));
            mirrors.record(mirror, failure, download.length > before);
        }
    }
}

/// The order in which mirrors are asked, and the waits in between.
struct Mirrors<'a> {
    all: Vec<Mirror<'a>>,
    options: &'a Options,
    /// Number of tries in a row that brought no bytes.
    idle: u32,
    /// Index of the mirror to ask next, unless it is given up.
    next: usize,
    /// Whether the last try brought bytes before it failed.
    gained: bool,
    /// Number of times that bytes from several mirrors together had a wrong sum.
    spoiled: u32,
}

/// A mirror and its last failure.
struct Mirror<'a> {
    url: &'a str,
    /// Last failure of the mirror.
    failure: Option<Failure>,
}

impl<'a> Mirrors<'a> {
    fn new(urls: &'a [String], options: &'a Options) -> Self {
        let mirror = |url: &'a String| Mirror { url, failure: None };
        Mirrors {
            all: urls.iter().map(mirror).collect(),
            options,
            idle: 0,
            next: 0,
            gained: false,
            spoiled: 0,
        }
    }

    /// Chooses the mirror to ask, and the wait before: none while some mirrors have not been
    /// tried in vain, one pause after a try that brought bytes, and pauses that double once
    /// all mirrors have failed. None when it is time to give up.
    fn turn(&self) -> Option<(usize, Duration)> {
        let lost = |mirror: &Mirror| mirror.failure.as_ref().is_some_and(|f| f.lasting);
        let live = || (0..self.all.len()).filter(|&i| !lost(&self.all[i]));
        let count = live().count() as u32;
        let most = count.saturating_add(self.options.retries);
        if self.idle >= most || self.spoiled > most {
            return None;
        }
        // After the last comes the first again.
        let mirror = live().find(|&i| i >= self.next).or_else(|| live().next())?;
        let factor = match self.idle.checked_sub(count) {
            Some(rounds) => 2u32.saturating_pow(rounds),
            None => u32::from(self.gained),
        };
        Some((
            mirror,
            self.options.pause.saturating_mul(factor).min(MOST_PAUSE),
        ))
    }

    /// Records that a mirror failed. A mirror that brought bytes before it failed is asked
    /// again.
    fn record(&mut self, mirror: usize, failure: Failure, gained: bool) {
        self.idle = match (gained, failure.lasting) {
            (true, _) => 0,
            (false, true) => self.idle,
            (false, false) => self.idle + 1,
        };
        self.next = if gained { mirror } else { mirror + 1 };
        self.gained = gained;
        self.all[mirror].failure = Some(failure);
    }
}

/// A download in progress.
struct Download<'a> {
    file: &'a super::File<'a>,
    part: &'a Path,
    out: File,
    /// Number of bytes in `out`.
    length: u64,
    /// Mirror that has sent all the bytes in `out`, if it was one alone.
    from_start: Option<usize>,
    /// Mirror that was asked last.
    last: usize,
    client: &'a Client,
    watch: Watch<'a>,
}

impl Download<'_> {
    /// Length that an earlier process left. A file longer than the published one is another
    /// file, and is emptied.
    fn begun(&mut self) -> Result<u64> {
        let failed = |e| write_error("read", self.part, e);
        let length = self.out.metadata().map_err(failed)?.len();
        if length <= self.file.bytes {
            return Ok(length);
        }
        self.out.set_len(0).map_err(failed)?;
        Ok(0)
    }

    /// Appends the bytes that the mirror at `url` sends, until the file is complete.
    fn go_on(&mut self, mirror: usize, url: &str) -> Result<Result<(), Failure>> {
        let reply = match self.client.get(url, self.length) {
            Ok(reply) => reply,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some(total) = reply.total.filter(|&total| total != self.file.bytes) {
            let expected = self.file.bytes;
            let what = format!("has another file: {total} bytes instead of {expected}");
            return Ok(Err(Failure::lasting(what)));
        }
        if reply.start > self.length {
            return Ok(Err(Failure::lasting("sends another part than asked for")));
        }
        self.last = mirror;
        self.from_start = match self.length {
            0 => Some(mirror),
            _ => self.from_start.filter(|&first| first == mirror),
        };
        self.append(reply.body, reply.start)
    }

    /// Appends `body`, which begins at `position` of the file. A mirror may send the file
    /// from its start; bytes that are there already are then skipped, so that nothing is
    /// lost.
    fn append(&mut self, mut body: impl Read, mut position: u64) -> Result<Result<(), Failure>> {
        let mut block = vec![0; BLOCK];
        while self.length < self.file.bytes {
            let got = match body.read(&mut block) {
                Ok(0) => {
                    let (at, all) = (position, self.file.bytes);
                    let what = format!("breaks off after {at} of {all} bytes");
                    return Ok(Err(Failure::passing(what)));
                }
                Ok(got) => got as u64,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Ok(Err(self.client.failure(e.into()))),
            };
            let skipped = self.length.saturating_sub(position).min(got);
            let new = (got - skipped).min(self.file.bytes - self.length);
            position += got;
            let bytes = &block[skipped as usize..(skipped + new) as usize];
            self.out
                .write_all(bytes)
                .map_err(|e| write_error("write", self.part, e))?;
            self.length += new;
            (self.watch)(Event::At(self.length));
        }
        Ok(Ok(()))
    }

    fn sum_is_right(&mut self) -> Result<bool> {
        let failed = |e| Error::io("read", self.part, e);
        self.out.seek(SeekFrom::Start(0)).map_err(failed)?;
        let (mut sum, mut block) = (Sha256::new(), vec![0; BLOCK]);
        loop {
            match self.out.read(&mut block).map_err(failed)? {
                0 => break,
                got => sum.update(&block[..got]),
            }
        }
        let hex: String = sum.finalize().iter().map(|b| format!("{b:02x}")).collect();
        Ok(hex == self.file.sha256)
    }

    /// Drops bytes whose sum is wrong. A mirror that sent them all is not asked again. If
    /// several did, nobody knows which was wrong, and the last one is asked for the whole
    /// file.
    fn spoiled(&mut self, mirrors: &mut Mirrors) -> Result<()> {
        let dropped = self.out.set_len(0);
        dropped.map_err(|e| write_error("write", self.part, e))?;
        self.length = 0;
        (self.watch)(Event::At(0));
        let what = "sends bytes with a wrong sum";
        match self.from_start.and_then(|first| mirrors.all.get_mut(first)) {
            Some(mirror) => {
                (self.watch)(Event::Trouble(&format!("{} {what}", mirror.url)));
                mirror.failure = Some(Failure::lasting(what));
            }
            None => {
                mirrors.spoiled += 1;
                mirrors.next = self.last;
                let name = self.part.shown();
                (self.watch)(Event::Trouble(&format!(
                    "{name} had a wrong sum; it is fetched from its start"
                )));
            }
        }
        Ok(())
    }
}

/// Opens `part` and locks it for this process alone.
fn open(part: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let options = options.create(true).read(true).append(true);
    let file = files::open_with(part, options).map_err(|e| write_error("write", part, e))?;
    match file.try_lock() {
        // A file system without locks is used without them.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new(format!(
            "another process is fetching {}",
            part.shown()
        ))
        .help("wait for it, or end it")),
    }
}

/// The error when all mirrors failed: each one's failure, and advice.
fn given_up(file: &super::File, part: &Path, length: u64, mirrors: &Mirrors) -> Error {
    let mut message = format!("cannot fetch {}", file.name);
    for mirror in &mirrors.all {
        let what = match &mirror.failure {
            Some(failure) => failure.what.as_str(),
            None => "was not asked",
        };
        message.push_str(&format!("\n    {} {what}", mirror.url));
    }
    let kept = match length {
        0 => {
            // Empty, it is of no use.
            let _ = std::fs::remove_file(part);
            String::new()
        }
        _ => format!(
            "; {} keeps {length} of {} bytes, and the same command goes on from there",
            part.shown(),
            file.bytes
        ),
    };
    Error::new(message).help(format!(
        "try again later, give a mirror of your own with --from URL, or set HTTPS_PROXY where \
         the way leads through a proxy{kept}"
    ))
}
