//! Image files as planes of bytes, of the size and the channels that a model takes.

use super::picture::{Encoded, is_picture, no_picture};
use super::resize::resize;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::flags::Resize;
use crate::ir::Shape;
use crate::{files, foreign};
use std::path::Path;

/// Pixels of an image that is resized, at most: a file of a few bytes may promise as many as it
/// likes, and every thread decodes one.
const MOST_PIXELS: usize = 1 << 27;

/// Treatment of an image of another size than the model's.
#[derive(Clone, Copy, Debug)]
pub(super) enum OtherSize {
    /// A failure with this advice.
    Refused(&'static str),
    /// Resizing.
    Fitted(Resize),
}

/// Decodes the pixels of one file, channels × height × width. Grey and RGB are converted into
/// each other as the model needs; transparency is dropped.
pub(super) fn decode(path: &Path, shape: Shape, other: OtherSize) -> Result<Vec<u8>> {
    let failed = |error| Error::io("read", path, error);
    let head = files::read_head(path, foreign::HEAD).map_err(failed)?;
    if !is_picture(&head) {
        return Err(no_picture(path, &head));
    }
    let bytes = files::read(path).map_err(failed)?;
    let encoded = Encoded::new(path, &bytes)?;
    let (expected, found) = (shape.extent(), encoded.extent());
    // Before the pixels are unpacked: the header alone must not cost memory.
    let is = |what: String| {
        let (name, (rows, columns)) = (path.shown(), found);
        Error::new(format!(
            "{name} is {rows}×{columns} (height × width), {what}"
        ))
    };
    match other {
        OtherSize::Refused(advice) if found != expected => {
            let (rows, columns) = expected;
            return Err(is(format!("but the model takes {rows}×{columns}")).help(advice));
        }
        OtherSize::Fitted(_) if found.0.saturating_mul(found.1) > MOST_PIXELS => {
            let error = is(format!("more than {MOST_PIXELS} pixels"));
            return Err(error.help("make the image smaller first"));
        }
        OtherSize::Refused(_) | OtherSize::Fitted(_) => {}
    }
    let picture = encoded.decode(path)?;
    let planes = match shape.channels() {
        1 => picture.grey(),
        _ => picture.planes(),
    };
    match other {
        OtherSize::Fitted(how) if found != expected => resize(&planes, found, expected, how),
        OtherSize::Fitted(_) | OtherSize::Refused(_) => Ok(planes),
    }
}
