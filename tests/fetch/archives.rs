//! Tests of archives: the files that are taken out of good ones, and the harm that bad ones
//! cannot do.

use crate::server::{bytes, fetch_files, good, names, options, sum};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use tar::{Builder, EntryType, Header};
use tempfile::tempdir;
use vanc::error::Error;
use vanc::fetch::{File, Member};

/// The two wanted files.
const MEMBERS: [Member; 2] = [
    Member {
        path: "dots/a.bin",
        bytes: 1000,
    },
    Member {
        path: "dots/b.bin",
        bytes: 20,
    },
];

/// An archive under construction.
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Tar(Builder::new(Vec::new()))
    }

    /// Starts an archive with both wanted files.
    fn whole() -> Self {
        Tar::new()
            .file("dots/a.bin", &bytes(1000))
            .file("./dots/b.bin", &[7; 20])
    }

    /// Adds an entry. The path is written as it is: the crate would refuse some.
    fn entry(mut self, kind: EntryType, path: &str, link: &str, body: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o777);
        header.set_size(body.len() as u64);
        header.set_cksum();
        self.0.append(&header, body).unwrap();
        self
    }

    fn file(self, path: &str, body: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, "", body)
    }

    fn gz(self) -> Vec<u8> {
        gz(&self.0.into_inner().unwrap())
    }
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Fetches `archive`, whose sum is right, into `dir/dots`.
fn fetch(archive: &[u8], dir: &Path) -> Result<Vec<String>, Error> {
    let sum = sum(archive);
    let files = [File {
        name: "dots.tar.gz",
        bytes: archive.len() as u64,
        sha256: &sum,
        members: &MEMBERS,
    }];
    fetch_files(
        &[&good(archive).base],
        &files,
        &dir.join("dots"),
        &options(),
    )
}

/// Message about an archive that must be refused without side effects.
fn refused(archive: &[u8]) -> String {
    let dir = tempdir().unwrap();
    let error = fetch(archive, dir.path()).unwrap_err();
    assert!(error.help.is_some(), "{error}");
    assert_eq!(names(dir.path()), ["dots"]);
    for name in names(&dir.path().join("dots")) {
        assert!(name.ends_with(".part"), "{name} was placed: {error}");
    }
    error.message
}

#[test]
fn the_wanted_files_are_taken_and_nothing_else() {
    let dir = tempdir().unwrap();
    let archive = Tar::new()
        .entry(EntryType::Directory, "dots/", "", &[])
        .file("dots/readme.html", b"hello")
        .file("elsewhere/a.bin", b"not this one")
        .file("dots/a.bin", &bytes(1000))
        .file("./dots/b.bin", &[7; 20])
        .gz();
    fetch(&archive, dir.path()).unwrap();
    let dots = dir.path().join("dots");
    assert_eq!(names(&dots), ["a.bin", "b.bin"]);
    assert_eq!(fs::read(dots.join("a.bin")).unwrap(), bytes(1000));
    assert_eq!(fs::read(dots.join("b.bin")).unwrap(), [7; 20]);
    assert_eq!(names(dir.path()), ["dots"]);
}

#[test]
fn what_is_whole_is_not_fetched_and_what_is_not_is() {
    let dir = tempdir().unwrap();
    let archive = Tar::whole().gz();
    let sum = sum(&archive);
    let files = [File {
        name: "dots.tar.gz",
        bytes: archive.len() as u64,
        sha256: &sum,
        members: &MEMBERS,
    }];
    let server = good(&archive);
    let fetch = || fetch_files(&[&server.base], &files, dir.path(), &options()).unwrap();
    fetch();
    fetch();
    assert_eq!(server.asked().len(), 1);
    fs::remove_file(dir.path().join("b.bin")).unwrap();
    fetch();
    assert_eq!(server.asked().len(), 2);
    // Ended while it was unpacked: the archive is there, and is not asked for again.
    fs::write(dir.path().join("dots.tar.gz.part"), &archive).unwrap();
    fs::write(dir.path().join("a.bin.part"), "half").unwrap();
    fs::remove_file(dir.path().join("a.bin")).unwrap();
    fetch();
    assert_eq!(server.asked().len(), 2);
    assert_eq!(names(dir.path()), ["a.bin", "b.bin"]);
}

/// An archive that ends early leaves nothing in place, wherever it ends.
#[test]
fn archives_cut_short_are_refused() {
    let whole = Tar::whole().0.into_inner().unwrap();
    // Two headers, the first file padded to whole blocks, and the second one.
    let needed = 512 + 1024 + 512 + 20;
    for length in (0..needed).step_by(211).chain([512 + 1000, needed - 1]) {
        refused(&gz(&whole[..length]));
    }
}

#[test]
fn paths_out_of_the_folder_are_refused() {
    for path in [
        "../evil",
        "dots/../../evil",
        "/tmp/vanc-evil",
        "dots/../a.bin",
    ] {
        let said = refused(&Tar::new().file(path, &[7; 20]).gz());
        assert!(said.contains("a path out of its folder"), "{said}");
        assert!(said.contains(path), "{said}");
    }
    assert!(!Path::new("/tmp/vanc-evil").exists());
}

#[test]
fn links_and_devices_are_refused() {
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Fifo,
        EntryType::Char,
        EntryType::Block,
    ];
    for kind in kinds {
        let archive = Tar::new().entry(kind, "dots/a.bin", "/etc/passwd", &[]);
        let said = refused(&archive.file("dots/b.bin", &[7; 20]).gz());
        assert!(said.contains("no plain file"), "{kind:?}: {said}");
    }
    refused(
        &Tar::new()
            .entry(EntryType::GNUSparse, "dots/a.bin", "", &[])
            .gz(),
    );
}

#[test]
fn other_contents_are_refused() {
    let cases = [
        (
            Tar::new().file("dots/a.bin", &bytes(1000)),
            "lacks dots/b.bin",
        ),
        (
            Tar::new().file("dots/a.bin", &bytes(999)),
            "999 bytes instead of 1000",
        ),
        (
            Tar::whole().file("dots/b.bin", &[8; 20]),
            "holds dots/b.bin twice",
        ),
        (Tar::new(), "lacks dots/a.bin"),
    ];
    for (archive, expected) in cases {
        let said = refused(&archive.gz());
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_bomb_is_stopped() {
    // A gigabyte of nothing, in a file that nobody asked for and without any file.
    let header = |path: &str, size: u64| {
        let mut header = Header::new_gnu();
        header.set_path(path).unwrap();
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let zeros = || std::io::repeat(0).take(1 << 30);
    for start in [
        header("dots/extra", 1 << 30),
        header("dots/extra", u64::from(u32::MAX)),
        vec![],
    ] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&start).unwrap();
        std::io::copy(&mut zeros(), &mut encoder).unwrap();
        let said = refused(&encoder.finish().unwrap());
        let stopped = said.contains("unpacks to more than") || said.contains("lacks dots/a.bin");
        assert!(stopped, "{said}");
    }
}

#[test]
fn damaged_archives_are_refused() {
    let whole = Tar::whole().gz();
    let plain = {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&whole[..])
            .read_to_end(&mut plain)
            .unwrap();
        plain
    };
    refused(&whole[..whole.len() / 2]);
    refused(&plain);
    refused(&gz(&plain[..700]));
    refused(&gz(&bytes(5000)));
    refused(b"\x1f\x8b");
}
