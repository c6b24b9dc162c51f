//! Pixels of PNG and JPEG files.

use super::jpeg;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::foreign::{self, JPEG, PNG};
use std::fmt::Display;
use std::io::Cursor;
use std::path::Path;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Shares of red, green and blue in grey, in 2¹⁶ths: those of Rec. 601, as Pillow rounds them.
const LUMA: [u32; 3] = [19595, 38470, 7471];

/// Whether a file that begins with `head` is a picture that is read.
pub(super) fn is_picture(head: &[u8]) -> bool {
    head.starts_with(PNG) || head.starts_with(JPEG)
}

/// An image file whose header was read, and no pixel yet.
pub(super) enum Encoded<'a> {
    Png(Box<png::Reader<Cursor<&'a [u8]>>>),
    /// A decoder, and all bytes of the file.
    Jpeg(Box<JpegDecoder<ZCursor<&'a [u8]>>>, &'a [u8]),
}

/// Rows of pixels, the channels of each beside one another.
pub(super) struct Picture {
    /// Grey, grey and alpha, RGB, or RGB and alpha.
    channels: usize,
    samples: Vec<u8>,
}

impl<'a> Encoded<'a> {
    /// Reads the header of the file `path` that holds `bytes`, whatever its name.
    ///
    /// # Errors
    ///
    /// Where neither a PNG nor a JPEG file begins like this.
    pub fn new(path: &Path, bytes: &'a [u8]) -> Result<Encoded<'a>> {
        if bytes.starts_with(PNG) {
            let mut decoder = png::Decoder::new(Cursor::new(bytes));
            decoder.set_transformations(png::Transformations::EXPAND);
            decoder.set_ignore_text_chunk(true);
            let reader = decoder.read_info().map_err(|e| damaged(path, e))?;
            return Ok(Encoded::Png(Box::new(reader)));
        }
        if !bytes.starts_with(JPEG) {
            return Err(no_picture(path, bytes));
        }
        let options = DecoderOptions::default()
            .set_strict_mode(false)
            .set_max_width(usize::MAX)
            .set_max_height(usize::MAX);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(|e| damaged(path, e))?;
        let stored = decoder.input_colorspace().unwrap_or(ColorSpace::RGB);
        let colors = jpeg_colors(stored);
        // Bytes between segments do no harm, but what is missing of the pixels is not made up.
        decoder.set_options(
            options
                .set_strict_mode(true)
                .jpeg_set_out_colorspace(colors),
        );
        Ok(Encoded::Jpeg(Box::new(decoder), bytes))
    }

    /// Returns the height and width that the header promises.
    pub fn extent(&self) -> (usize, usize) {
        match self {
            Encoded::Png(reader) => {
                let (width, height) = reader.info().size();
                (height as usize, width as usize)
            }
            Encoded::Jpeg(decoder, _) => {
                let (width, height) = decoder.dimensions().unwrap_or_default();
                (height, width)
            }
        }
    }

    /// Decodes the pixels of the file `path`.
    ///
    /// # Errors
    ///
    /// Where the file is damaged or cut short, or its grey has 16 bits.
    pub fn decode(self, path: &Path) -> Result<Picture> {
        let extent = self.extent();
        match self {
            Encoded::Png(reader) => decode_png(*reader, path),
            Encoded::Jpeg(mut decoder, bytes) => {
                jpeg::check(bytes, extent).map_err(|e| damaged(path, e))?;
                let samples = decoder.decode().map_err(|e| damaged(path, e))?;
                let colors = decoder.output_colorspace().unwrap_or(ColorSpace::RGB);
                Ok(Picture {
                    channels: colors.num_components(),
                    samples,
                })
            }
        }
    }
}

fn decode_png(mut reader: png::Reader<Cursor<&[u8]>>, path: &Path) -> Result<Picture> {
    let Some(length) = reader.output_buffer_size() else {
        return Err(damaged(path, "it is too large"));
    };
    let mut samples = vec![0; length];
    let frame = reader.next_frame(&mut samples);
    // The check sums of the last chunks come after the last pixel.
    frame
        .and_then(|_| reader.finish())
        .map_err(|e| damaged(path, e))?;
    let (color, depth) = reader.output_color_type();
    if depth == png::BitDepth::Sixteen {
        if reader.info().color_type == png::ColorType::Grayscale {
            return Err(wide_grey(path));
        }
        // The higher byte of each sample, as Pillow takes it.
        samples = samples.into_iter().step_by(2).collect();
    }
    Ok(Picture {
        channels: color.samples(),
        samples,
    })
}

impl Picture {
    /// Converts the picture to one plane of grey, transparency dropped.
    pub fn grey(&self) -> Vec<u8> {
        let pixels = self.samples.chunks_exact(self.channels);
        match self.channels {
            1 | 2 => pixels.map(|pixel| pixel[0]).collect(),
            _ => pixels.map(luma).collect(),
        }
    }

    /// Splits the picture into one plane each of red, green and blue, transparency dropped.
    pub fn planes(&self) -> Vec<u8> {
        (0..3)
            .flat_map(|color| {
                let channel = if self.channels < 3 { 0 } else { color };
                let samples = self.samples.iter().skip(channel);
                samples.step_by(self.channels).copied()
            })
            .collect()
    }
}

/// Weighs red, green and blue.
fn luma(pixel: &[u8]) -> u8 {
    let parts = pixel.iter().zip(LUMA);
    let sum: u32 = parts
        .map(|(&sample, weight)| u32::from(sample) * weight)
        .sum();
    ((sum + (1 << 15)) >> 16) as u8
}

/// The colours that a JPEG file is decoded to, from those that are in it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the decoder may add colour spaces"
)]
fn jpeg_colors(stored: ColorSpace) -> ColorSpace {
    match stored {
        ColorSpace::RGB | ColorSpace::RGBA | ColorSpace::Luma | ColorSpace::LumaA => stored,
        // What another program chose to store is RGB to us.
        _ => ColorSpace::RGB,
    }
}

/// Which part of 16 bits of grey is the picture is not in the file: 12 bits of a scanner leave
/// the higher byte all but black, and Pillow cuts off all but the lowest 256 values.
fn wide_grey(path: &Path) -> Error {
    Error::new(format!("{} is grey of 16 bits", path.shown()))
        .help("scale it to the 8 bits that are trained on")
}

/// The failure to read a file that is named like a picture, and is none.
pub(super) fn no_picture(path: &Path, bytes: &[u8]) -> Error {
    const EXPECTED: &str = "a PNG or JPEG picture";
    match foreign::recognize(bytes) {
        Some(foreign) => foreign.in_place_of(EXPECTED, path),
        None if bytes.is_empty() => Error::new(format!("{} is empty", path.shown())).help(DAMAGED),
        None => Error::new(format!("{} is not {EXPECTED}", path.shown())).help(DAMAGED),
    }
}

const DAMAGED: &str = "the file is damaged; replace or remove it";

fn damaged(path: &Path, cause: impl Display) -> Error {
    Error::new(format!("cannot decode {}: {cause}", path.shown())).help(DAMAGED)
}
