//! Image files as planes of bytes, of the size and the channels that a model takes.

use super::picture::{Encoded, is_picture, no_picture};
use super::resize::resize;
use crate::error::{Error, Result};
use crate::flags::Resize;
use crate::ir::Shape;
use crate::{files, foreign};
use std::path::Path;

/// Pixels of an image that is resized, at most: a file of a few bytes may promise as many as it
/// likes, and every thread decodes one.
const MOST_PIXELS: usize = 1 << 27;

/// Decodes the pixels of one file, channels × height × width. Grey and RGB are converted into
/// each other as the model needs; transparency is dropped. One of another size is fitted as
/// `fit` says, or refused.
pub(super) fn decode(path: &Path, shape: Shape, fit: Option<Resize>) -> Result<Vec<u8>> {
    let failed = |error| Error::io("read", path, error);
    let head = files::read_head(path, foreign::HEAD).map_err(failed)?;
    if !is_picture(&head) {
        return Err(no_picture(path, &head));
    }
    let bytes = files::read(path).map_err(failed)?;
    let encoded = Encoded::new(path, &bytes)?;
    let (expected, found) = (shape.extent(), encoded.extent());
    // Before the pixels are unpacked: the header alone must not cost memory.
    match fit {
        None if found != expected => return Err(other_size(path, found, expected)),
        Some(_) if found.0.saturating_mul(found.1) > MOST_PIXELS => {
            return Err(Error::new(format!(
                "{} is {}×{} (height × width), more than {MOST_PIXELS} pixels",
                path.display(),
                found.0,
                found.1
            ))
            .help("make the image smaller first"));
        }
        Some(_) | None => {}
    }
    let picture = encoded.decode(path)?;
    let planes = match shape.channels() {
        1 => picture.grey(),
        _ => picture.planes(),
    };
    match fit {
        Some(fit) if found != expected => resize(&planes, found, expected, fit),
        Some(_) | None => Ok(planes),
    }
}

fn other_size(path: &Path, found: (usize, usize), expected: (usize, usize)) -> Error {
    Error::new(format!(
        "{} is {}×{} (height × width), but the model takes {}×{}",
        path.display(),
        found.0,
        found.1,
        expected.0,
        expected.1
    ))
    .help("bring every image to the size in the model's `input image(…)`")
}
