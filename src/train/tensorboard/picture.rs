//! Pictures of an event file.

use super::message::Message;
use crate::error::{Error, Result};
use crate::train::confusion::Record;
use png::{ColorType, Encoder, EncodingError};

/// Pixels of a side of the confusion matrix, or one a class where there are more.
const MATRIX: usize = 240;
/// Classes above which there is no picture of the matrix.
const MOST: usize = 1000;
/// Colour of a share of 1; that of 0 is white.
const FULL: [f64; 3] = [8.0, 48.0, 107.0];

/// Writes the value of a picture of rows × columns pixels of eight bits a channel.
pub(super) fn picture(
    tag: &str,
    pixels: &[u8],
    (height, width): (usize, usize),
    color: ColorType,
) -> Result<Message> {
    let encoded = encode(pixels, (width, height), color)
        .map_err(|e| Error::new(format!("cannot encode a picture for TensorBoard: {e}")))?;
    let mut image = Message::default();
    image.integer(1, height as u64);
    image.integer(2, width as u64);
    image.integer(3, color.samples() as u64);
    image.bytes(4, &encoded);
    let mut value = Message::default();
    value.bytes(1, tag.as_bytes());
    value.bytes(4, &image.0);
    Ok(value)
}

/// Writes the value of a confusion matrix: a row for the images of each class, darker where more
/// of them were taken for the class of the column. None where there are too many classes.
pub(super) fn confusion(record: &Record) -> Result<Option<Message>> {
    let classes = record.classes.len();
    if !(1..=MOST).contains(&classes) {
        return Ok(None);
    }
    let (counts, cell) = (record.confusion(), (MATRIX / classes).max(1));
    let images = counts.images(classes);
    let side = classes * cell;
    let mut pixels = Vec::with_capacity(side * side * 3);
    for row in 0..side {
        let label = row / cell;
        for column in 0..side {
            let count = counts.count(label, column / cell);
            let share = count as f64 / images[label].max(1) as f64;
            pixels.extend(FULL.map(|full| (255.0 + share * (full - 255.0)).round() as u8));
        }
    }
    picture("confusion", &pixels, (side, side), ColorType::Rgb).map(Some)
}

/// Encodes pixels of eight bits a channel as PNG.
fn encode(
    pixels: &[u8],
    (width, height): (usize, usize),
    color: ColorType,
) -> std::result::Result<Vec<u8>, EncodingError> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(color);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(out)
}
