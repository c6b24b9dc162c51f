//! Files of other programs, recognised by their first bytes.
//!
//! Each row of the table says what a file is called, which bytes it begins with, and what to do
//! where `vanc` was to read it.

use crate::error::Error;
use crate::escape::Shown;
use std::path::Path;

/// Bytes of a file's beginning that are enough to recognise it.
pub const HEAD: usize = 512;

/// A kind of file that `vanc` does not read where it was named.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Foreign {
    /// Name of the kind, with its article: `an HDF5 file`.
    pub name: &'static str,
    /// Advice on what to do with the file.
    pub advice: &'static str,
}

/// Bytes by which a kind is recognised.
enum Mark {
    /// These bytes, each at its offset.
    Bytes(&'static [(usize, &'static [u8])]),
    /// This text in any case, after blanks and a byte order mark.
    Text(&'static str),
    /// A zip archive in which the name of the first file ends like this.
    Zip(&'static str),
}

const PICTURE: &str = "pictures are read from the folder of `data: folder`, as PNG or JPEG";
const CONVERT: &str = "convert it to PNG or JPEG";
const UNPACK: &str = "unpack it, and give the file that was in it";
const TEXT: &str = "a page was saved in place of the file; get the file itself again";
const TORCH: &str = "write its weights as safetensors, in Python:
        weights = torch.load(FILE, weights_only=True)
        safetensors.torch.save_file(weights, \"weights.safetensors\")";
const KERAS: &str = "write its weights by `safetensors.numpy.save_file` in Python,
        with the names and shapes that `vanc describe FILE --format json` lists";
const NUMPY: &str = "write its arrays by `safetensors.numpy.save_file` in Python,
        or its images as PNG files";
const LFS: &str = "it only says where the file is; `git lfs pull` in its repository gets it";
const UTF_8: &str = "save it as UTF-8";
const OTHER: &str = "give the file in the form that is expected here";

/// A row of [`KINDS`].
const fn kind(
    name: &'static str,
    marks: &'static [Mark],
    advice: &'static str,
) -> (Foreign, &'static [Mark]) {
    (Foreign { name, advice }, marks)
}

use Mark::{Bytes, Text, Zip};

/// All kinds; where several match, the first counts.
static KINDS: &[(Foreign, &[Mark])] = &[
    kind("a PNG picture", &[Bytes(&[(0, PNG)])], PICTURE),
    kind("a JPEG picture", &[Bytes(&[(0, JPEG)])], PICTURE),
    kind(
        "a GIF picture",
        &[Bytes(&[(0, b"GIF87a")]), Bytes(&[(0, b"GIF89a")])],
        CONVERT,
    ),
    kind(
        "a WebP picture",
        &[Bytes(&[(0, b"RIFF"), (8, b"WEBP")])],
        CONVERT,
    ),
    kind(
        "a BMP picture",
        &[Bytes(&[(0, b"BM"), (6, b"\0\0\0\0")])],
        CONVERT,
    ),
    kind(
        "a TIFF picture",
        &[
            Bytes(&[(0, b"II*\0")]),
            Bytes(&[(0, b"MM\0*")]),
            Bytes(&[(0, b"II+\0")]),
            Bytes(&[(0, b"MM\0+")]),
        ],
        CONVERT,
    ),
    kind(
        "an AVIF picture",
        &[Bytes(&[(4, b"ftypavif")]), Bytes(&[(4, b"ftypavis")])],
        CONVERT,
    ),
    kind(
        "an HEIC picture",
        &[
            Bytes(&[(4, b"ftyphei")]),
            Bytes(&[(4, b"ftyphev")]),
            Bytes(&[(4, b"ftypmif1")]),
            Bytes(&[(4, b"ftypmsf1")]),
        ],
        CONVERT,
    ),
    kind(
        "a JPEG XL picture",
        &[Bytes(&[(0, b"\xff\x0a")]), Bytes(&[(4, b"JXL \r\n\x87\n")])],
        CONVERT,
    ),
    kind(
        "a JPEG 2000 picture",
        &[
            Bytes(&[(4, b"jP  \r\n\x87\n")]),
            Bytes(&[(0, b"\xff\x4f\xff\x51")]),
        ],
        CONVERT,
    ),
    kind(
        "a PNM picture",
        &[
            Bytes(&[(0, b"P5\n")]),
            Bytes(&[(0, b"P6\n")]),
            Bytes(&[(0, b"P2\n")]),
            Bytes(&[(0, b"P3\n")]),
        ],
        CONVERT,
    ),
    kind(
        "an ICO picture",
        &[Bytes(&[(0, b"\0\0\x01\0"), (9, b"\0")])],
        CONVERT,
    ),
    kind("a Photoshop file", &[Bytes(&[(0, b"8BPS")])], CONVERT),
    kind("an SVG drawing", &[Text("<svg")], CONVERT),
    kind("a PDF file", &[Bytes(&[(0, b"%PDF-")])], OTHER),
    kind(
        "an HTML page",
        &[Text("<!doctype html"), Text("<html"), Text("<head")],
        TEXT,
    ),
    kind("an XML file", &[Text("<?xml")], TEXT),
    kind(
        "a Git LFS pointer",
        &[Text("version https://git-lfs.github.com/spec/")],
        LFS,
    ),
    kind(
        "a UTF-16 text",
        &[Bytes(&[(0, b"\xff\xfe")]), Bytes(&[(0, b"\xfe\xff")])],
        UTF_8,
    ),
    kind(
        "a PyTorch file",
        &[
            Zip("/data.pkl"),
            // The magic number of `torch.save` before version 1.6, pickled.
            Bytes(&[(
                0,
                b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
            )]),
        ],
        TORCH,
    ),
    kind(
        "a Keras file",
        &[
            Zip("metadata.json"),
            Zip("config.json"),
            Zip("model.weights.h5"),
        ],
        KERAS,
    ),
    kind("a NumPy archive", &[Zip(".npy")], NUMPY),
    kind("a NumPy array", &[Bytes(&[(0, b"\x93NUMPY")])], NUMPY),
    kind(
        "an HDF5 file",
        &[Bytes(&[(0, b"\x89HDF\r\n\x1a\n")])],
        KERAS,
    ),
    kind(
        "a Python pickle",
        &[
            Bytes(&[(0, b"\x80\x02")]),
            Bytes(&[(0, b"\x80\x03")]),
            Bytes(&[(0, b"\x80\x04\x95")]),
            Bytes(&[(0, b"\x80\x05\x95")]),
        ],
        "get the data in its binary version, or weights as safetensors: a pickle is a program",
    ),
    kind("a GGUF file", &[Bytes(&[(0, b"GGUF")])], OTHER),
    kind("a TensorFlow Lite file", &[Bytes(&[(4, b"TFL3")])], OTHER),
    kind("a Parquet file", &[Bytes(&[(0, b"PAR1")])], OTHER),
    kind(
        "a zip archive",
        &[Bytes(&[(0, b"PK\x03\x04")]), Bytes(&[(0, b"PK\x05\x06")])],
        UNPACK,
    ),
    kind("a gzip archive", &[Bytes(&[(0, b"\x1f\x8b")])], UNPACK),
    kind(
        "a 7z archive",
        &[Bytes(&[(0, b"7z\xbc\xaf\x27\x1c")])],
        UNPACK,
    ),
    kind("a RAR archive", &[Bytes(&[(0, b"Rar!\x1a\x07")])], UNPACK),
    kind("an xz archive", &[Bytes(&[(0, b"\xfd7zXZ\0")])], UNPACK),
    kind(
        "a bzip2 archive",
        &[Bytes(&[(0, b"BZh"), (4, b"1AY&SY")])],
        UNPACK,
    ),
    kind(
        "a Zstandard archive",
        &[Bytes(&[(0, b"\x28\xb5\x2f\xfd")])],
        UNPACK,
    ),
    kind("a tar archive", &[Bytes(&[(257, b"ustar")])], UNPACK),
];

/// First bytes of a PNG file.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// First bytes of a JPEG file.
pub const JPEG: &[u8] = b"\xff\xd8\xff";

/// Recognises a file by the bytes that it begins with, [`HEAD`] of them or more.
pub fn recognize(bytes: &[u8]) -> Option<&'static Foreign> {
    let found = KINDS
        .iter()
        .find(|(_, marks)| marks.iter().any(|mark| mark.is_in(bytes)));
    found.map(|(foreign, _)| foreign)
}

impl Mark {
    fn is_in(&self, bytes: &[u8]) -> bool {
        match self {
            Mark::Bytes(parts) => parts
                .iter()
                .all(|(offset, part)| bytes.get(*offset..).is_some_and(|b| b.starts_with(part))),
            Mark::Text(text) => {
                let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
                let bytes = bytes.trim_ascii_start();
                let beginning = bytes.get(..text.len());
                beginning.is_some_and(|b| b.eq_ignore_ascii_case(text.as_bytes()))
            }
            Mark::Zip(end) => {
                first_in_zip(bytes).is_some_and(|name| name.ends_with(end.as_bytes()))
            }
        }
    }
}

/// The name of the first file in a zip archive.
fn first_in_zip(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(b"PK\x03\x04")?;
    let length = u16::from_le_bytes([*rest.get(22)?, *rest.get(23)?]);
    rest.get(26..)?.get(..length.into())
}

impl Foreign {
    /// The failure to read a file, which is of this kind and not `expected` (`an IDX file`).
    /// The caller names the file.
    pub fn error(&self, expected: &str) -> Error {
        Error::new(format!("it is {}, not {expected}", self.name)).help(self.advice)
    }

    /// The failure to read the file at `path`, which is of this kind and not `expected`.
    pub fn in_place_of(&self, expected: &str, path: &Path) -> Error {
        let message = format!("{} is {}, not {expected}", path.shown(), self.name);
        Error::new(message).help(self.advice)
    }

    /// Whether it is a picture, or a drawing.
    pub fn is_picture(&self) -> bool {
        self.advice == PICTURE || self.advice == CONVERT
    }

    /// Name of the kind without its article.
    fn noun(&self) -> &'static str {
        self.name
            .split_once(' ')
            .map_or(self.name, |(_, noun)| noun)
    }

    /// Counts files of this kind: `1 GIF picture`, `2 GIF pictures`.
    pub fn count(&self, files: usize) -> String {
        let plural = if files == 1 { "" } else { "s" };
        format!("{files} {}{plural}", self.noun())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name that a file which begins like this is given.
    fn name(bytes: &[u8]) -> &'static str {
        recognize(bytes).map_or("", |foreign| foreign.name)
    }

    /// Makes the beginning of a zip archive whose first file has this name.
    fn zip(name: &str) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.extend([0; 22]);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(name.as_bytes());
        bytes
    }

    #[test]
    fn files_are_known_by_their_beginning() {
        assert_eq!(name(b"\n <!DOCTYPE HTML><title>404"), "an HTML page");
        assert_eq!(name(b"\xef\xbb\xbf<html lang=en>"), "an HTML page");
        assert_eq!(name(b"\xff\xfem\0o\0d\0"), "a UTF-16 text");
        assert_eq!(
            name(b"version https://git-lfs.github.com/spec/v1\noid"),
            "a Git LFS pointer"
        );
        assert_eq!(name(&zip("model/data.pkl")), "a PyTorch file");
        assert_eq!(name(&zip("metadata.json")), "a Keras file");
        assert_eq!(name(&zip("fc.weight.npy")), "a NumPy archive");
        assert_eq!(name(&zip("train/")), "a zip archive");
        assert_eq!(name(b"\x89HDF\r\n\x1a\n\0"), "an HDF5 file");
        assert_eq!(name(b"RIFF\0\0\0\0WEBPVP8 "), "a WebP picture");
        assert_eq!(name(b"BM\x36\x04\0\0\0\0\0\0"), "a BMP picture");
        assert_eq!(name(b"BZh91AY&SY"), "a bzip2 archive");
    }

    /// No file that is read is taken for one of another program.
    #[test]
    fn our_own_files_are_not_foreign() {
        assert_eq!(name(b"model m {\n    input image(1, 28, 28)\n"), "");
        assert_eq!(name(b"BM is a param"), "");
        assert_eq!(name(&[0, 0, 8, 3, 0, 0, 0xea, 0x60, 0, 0, 0, 28]), "");
        assert_eq!(name(b"\x98\0\0\0\0\0\0\0{\"fc.weight\":"), "");
        assert_eq!(name(b""), "");
        assert_eq!(name(b"PK\x03\x04"), "a zip archive");
    }

    #[test]
    fn kinds_are_counted() {
        let gif = recognize(b"GIF89a").unwrap();
        assert_eq!(
            (gif.count(1), gif.count(12)),
            ("1 GIF picture".into(), "12 GIF pictures".into())
        );
        for (foreign, _) in KINDS {
            assert!(foreign.name.starts_with("a ") || foreign.name.starts_with("an "));
        }
    }
}
