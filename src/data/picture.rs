//! Pixels of PNG and JPEG files.

use crate::error::{Error, Result};
use std::fmt::Display;
use std::io::Cursor;
use std::path::Path;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// First bytes of a PNG file.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// First bytes of a JPEG file.
const JPEG: &[u8] = b"\xff\xd8\xff";

/// Shares of red, green and blue in the luminance of sRGB.
const LUMINANCE: [f32; 3] = [0.212_647_84, 0.715_179_2, 0.072_173_04];

/// An image file whose header was read, and no pixel yet.
pub(super) enum Encoded<'a> {
    Png(Box<png::Reader<Cursor<&'a [u8]>>>),
    Jpeg(Box<JpegDecoder<ZCursor<&'a [u8]>>>),
}

/// Rows of pixels, the channels of each beside one another.
pub(super) struct Picture {
    /// Grey, grey and alpha, RGB, or RGB and alpha.
    channels: usize,
    /// The number that stands for white: 2⁸−1 or 2¹⁶−1.
    white: u16,
    samples: Vec<u16>,
}

impl<'a> Encoded<'a> {
    /// Reads the header of the file `path` that holds `bytes`.
    ///
    /// # Errors
    ///
    /// Where neither a PNG nor a JPEG file begins like this.
    pub fn new(path: &Path, bytes: &'a [u8]) -> Result<Encoded<'a>> {
        let is_named_png = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
        // Names lie; a file that is neither is measured by its name.
        let is_png = bytes.starts_with(PNG) || is_named_png && !bytes.starts_with(JPEG);
        if is_png {
            let mut decoder = png::Decoder::new(Cursor::new(bytes));
            decoder.set_transformations(png::Transformations::EXPAND);
            decoder.set_ignore_text_chunk(true);
            let reader = decoder.read_info().map_err(|e| damaged(path, e))?;
            return Ok(Encoded::Png(Box::new(reader)));
        }
        let options = DecoderOptions::default()
            .set_strict_mode(false)
            .set_max_width(usize::MAX)
            .set_max_height(usize::MAX);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(|e| damaged(path, e))?;
        let stored = decoder.input_colorspace().unwrap_or(ColorSpace::RGB);
        let colors = jpeg_colors(stored);
        decoder.set_options(options.jpeg_set_out_colorspace(colors));
        Ok(Encoded::Jpeg(Box::new(decoder)))
    }

    /// Returns the height and width that the header promises.
    pub fn extent(&self) -> (usize, usize) {
        match self {
            Encoded::Png(reader) => {
                let (width, height) = reader.info().size();
                (height as usize, width as usize)
            }
            Encoded::Jpeg(decoder) => {
                let (width, height) = decoder.dimensions().unwrap_or_default();
                (height, width)
            }
        }
    }

    /// Decodes the pixels of the file `path`.
    ///
    /// # Errors
    ///
    /// Where the file is damaged.
    pub fn decode(self, path: &Path) -> Result<Picture> {
        match self {
            Encoded::Png(mut reader) => {
                let Some(length) = reader.output_buffer_size() else {
                    return Err(damaged(path, "it is too large"));
                };
                let mut bytes = vec![0; length];
                reader
                    .next_frame(&mut bytes)
                    .map_err(|e| damaged(path, e))?;
                let (color, depth) = reader.output_color_type();
                let is_wide = depth == png::BitDepth::Sixteen;
                Ok(Picture {
                    channels: color.samples(),
                    white: if is_wide { u16::MAX } else { u8::MAX.into() },
                    samples: match is_wide {
                        true => wide(&bytes),
                        false => bytes.into_iter().map(u16::from).collect(),
                    },
                })
            }
            Encoded::Jpeg(mut decoder) => {
                let bytes = decoder.decode().map_err(|e| damaged(path, e))?;
                let colors = decoder.output_colorspace().unwrap_or(ColorSpace::RGB);
                Ok(Picture {
                    channels: colors.num_components(),
                    white: u8::MAX.into(),
                    samples: bytes.into_iter().map(u16::from).collect(),
                })
            }
        }
    }
}

impl Picture {
    /// Converts the picture to one plane of grey, transparency dropped.
    pub fn grey(&self) -> Vec<u8> {
        let pixels = self.samples.chunks_exact(self.channels);
        match self.channels {
            1 | 2 => pixels.map(|pixel| self.byte(pixel[0])).collect(),
            _ => pixels.map(|pixel| self.luminance(pixel)).collect(),
        }
    }

    /// Splits the picture into one plane each of red, green and blue, transparency dropped.
    pub fn planes(&self) -> Vec<u8> {
        (0..3)
            .flat_map(|color| {
                let channel = if self.channels < 3 { 0 } else { color };
                let samples = self.samples.iter().skip(channel);
                samples.step_by(self.channels).map(|&s| self.byte(s))
            })
            .collect()
    }

    /// Rounds `sample` to the nearest of 2⁸ numbers.
    fn byte(&self, sample: u16) -> u8 {
        match self.white {
            u16::MAX => ((u32::from(sample) + 128) / 257) as u8,
            _ => sample as u8,
        }
    }

    fn luminance(&self, pixel: &[u16]) -> u8 {
        let scale = 1.0 / f32::from(self.white);
        let parts = pixel.iter().zip(LUMINANCE);
        let sum = parts.fold(0.0, |sum, (&sample, weight)| {
            sum + f32::from(sample) * scale * weight
        });
        (sum * f32::from(u8::MAX)).round() as u8
    }
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

/// Reads samples of two bytes each, the first the higher.
fn wide(bytes: &[u8]) -> Vec<u16> {
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

fn damaged(path: &Path, cause: impl Display) -> Error {
    Error::new(format!("cannot decode {}: {cause}", path.display()))
        .help("the file is damaged, or neither PNG nor JPEG; replace or remove it")
}
