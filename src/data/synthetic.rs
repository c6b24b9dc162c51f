//! The synthetic dataset: ten shapes of random colour, place, size and tilt on noisy
//! backgrounds with random strokes.
//!
//! Every image has a random stream of its own, and the arithmetic is integers and IEEE
//! basic operations only, so the images are the same on every machine and for any number
//! of threads.

use super::progress::{Progress, Report};
use super::random::{Purpose, stream};
use super::shapes::{SHAPES, Shape as Figure};
use super::{Dataset, Request, Split};
use crate::error::{Error, Result};
use crate::ir::{Shape, Synthetic};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Largest number of images in a split: 3 GiB of pixels.
const MAX_IMAGES: usize = 1 << 20;

// How hard the images are, besides the noise of the settings.

/// Range of a shape's radius, as a share of the image's side.
const RADIUS: (f32, f32) = (0.24, 0.36);
/// Largest distance of a shape's centre from the image's along each axis, as a share of the
/// side.
const MAX_SHIFT: f32 = 0.14;
/// Largest tilt to either side, as a tangent: 0.27 is 15°. A cross tilted by 45° would be
/// a plus.
const MAX_TILT: f32 = 0.27;
/// Range of a background's channel at the middle of the image, from 0 to 1.
const GROUND: (f32, f32) = (0.05, 0.5);
/// Range of a shape's brightness above the background, per channel.
const LIFT: (f32, f32) = (0.2, 0.6);
/// Largest change of a background's channel from its middle to an edge.
const MAX_SLOPE: f32 = 0.15;
/// Number of strokes on the background.
const STROKES: usize = 3;
/// Largest difference of a stroke's channel from the background.
const STROKE_CONTRAST: f32 = 0.25;
/// Largest half width of a stroke, in pixels.
const STROKE_WIDTH: f32 = 1.2;

/// Number of points that a pixel is sampled at, along each axis.
const SAMPLES: usize = 3;

/// Draws both splits. The classes take turns.
pub(super) fn load(settings: Synthetic, request: &Request, report: Report) -> Result<Dataset> {
    let name = "synthetic";
    let shape = match request.input.dims()[..] {
        [1, 28, 28] | [3, 32, 32] => request.input,
        _ => {
            return Err(Error::new(format!(
                "the images of {name} are 3×32×32 or 1×28×28, but the model takes {}",
                request.input
            ))
            .help("write `input image(3, 32, 32)` or `input image(1, 28, 28)` in the model"));
        }
    };
    request.accept(name, shape, SHAPES.len())?;
    let (train, test) = (settings.train, settings.test);
    if train.max(test) > MAX_IMAGES {
        return Err(Error::new(format!(
            "{train} training and {test} test images are too many to draw"
        ))
        .help(format!("ask `synthetic` for at most {MAX_IMAGES} of each")));
    }
    let progress = Progress::new(train + test, report);
    let draw = |split, images| draw_split(settings, shape, split, images, &progress);
    let classes = SHAPES.iter().map(|(_, class)| class.to_string()).collect();
    Dataset::new(name.into(), shape, classes, draw(0, train), draw(1, test))
}

/// Draws the images of split number `split`, 0 or 1.
fn draw_split(
    settings: Synthetic,
    shape: Shape,
    split: u64,
    images: usize,
    progress: &Progress,
) -> Split {
    let mut pixels = vec![0; images * shape.elements()];
    pixels
        .par_chunks_mut(shape.elements())
        .enumerate()
        .for_each(|(index, image)| {
            let mut rng = stream(Purpose::Draw, settings.seed, split, index as u64);
            let (figure, _) = SHAPES[index % SHAPES.len()];
            draw(image, shape, figure, settings.noise as f32, &mut rng);
            progress.advance();
        });
    Split {
        pixels,
        labels: (0..images)
            .map(|index| (index % SHAPES.len()) as u32)
            .collect(),
    }
}

/// Draws one image, channels × height × width, with `figure` on it.
fn draw(image: &mut [u8], shape: Shape, figure: Figure, noise: f32, rng: &mut ChaCha8Rng) {
    let (channels, (_, side)) = (shape.channels(), shape.extent());
    let background = Background::random(channels, side as f32, rng);
    let lift: Vec<f32> = (0..channels).map(|_| between(LIFT, rng)).collect();
    let place = ShapePlacement::random(side as f32, rng);
    let cover: Vec<f32> = (0..side * side)
        .map(|position| place.cover(figure, position % side, position / side))
        .collect();
    for (channel, plane) in image.chunks_exact_mut(side * side).enumerate() {
        for (position, (pixel, &cover)) in plane.iter_mut().zip(&cover).enumerate() {
            let below = background.value_at(channel, position % side, position / side);
            let ink = background.colour[channel] + lift[channel];
            let value = below + cover * (ink - below) + noise * normal(rng);
            // A cast from float saturates at 0 and 255.
            *pixel = (value * 255.0 + 0.5) as u8;
        }
    }
}

/// A colour, its slope over the image, and strokes on it.
struct Background {
    side: f32,
    /// Value at the middle of the image, per channel.
    colour: Vec<f32>,
    /// Change from the middle to the right and to the lower edge, per channel.
    slope: Vec<[f32; 2]>,
    strokes: Vec<Stroke>,
}

/// A line with round ends.
struct Stroke {
    from: [f32; 2],
    to: [f32; 2],
    /// Half the width of the stroke, in pixels.
    radius: f32,
    /// Change of the background's value, per channel.
    tint: Vec<f32>,
}

impl Background {
    fn random(channels: usize, side: f32, rng: &mut ChaCha8Rng) -> Self {
        let colour = (0..channels).map(|_| between(GROUND, rng)).collect();
        let slope = (0..channels)
            .map(|_| point((-MAX_SLOPE, MAX_SLOPE), rng))
            .collect();
        let strokes = (0..STROKES)
            .map(|_| Stroke {
                from: point((0.0, side), rng),
                to: point((0.0, side), rng),
                radius: between((0.5, STROKE_WIDTH), rng),
                tint: (0..channels)
                    .map(|_| between((-STROKE_CONTRAST, STROKE_CONTRAST), rng))
                    .collect(),
            })
            .collect();
        Background {
            side,
            colour,
            slope,
            strokes,
        }
    }

    /// Computes the value of channel `channel` at the pixel of column `x` and row `y`.
    fn value_at(&self, channel: usize, x: usize, y: usize) -> f32 {
        let point = [x as f32 + 0.5, y as f32 + 0.5];
        let [right, down] = self.slope[channel];
        let half = self.side / 2.0;
        let plain =
            self.colour[channel] + right * (point[0] / half - 1.0) + down * (point[1] / half - 1.0);
        self.strokes
            .iter()
            .filter(|stroke| stroke.covers(point))
            .fold(plain, |value, stroke| value + stroke.tint[channel])
    }
}

impl Stroke {
    fn covers(&self, point: [f32; 2]) -> bool {
        let along = [self.to[0] - self.from[0], self.to[1] - self.from[1]];
        let offset = [point[0] - self.from[0], point[1] - self.from[1]];
        let length = (along[0] * along[0] + along[1] * along[1]).max(f32::MIN_POSITIVE);
        let share = ((offset[0] * along[0] + offset[1] * along[1]) / length).clamp(0.0, 1.0);
        let [x, y] = [offset[0] - share * along[0], offset[1] - share * along[1]];
        x * x + y * y <= self.radius * self.radius
    }
}

/// Place, size and tilt of a shape.
struct ShapePlacement {
    centre: [f32; 2],
    radius: f32,
    cos: f32,
    sin: f32,
}

impl ShapePlacement {
    /// Places a shape inside the image, but for the corners of tilted ones.
    fn random(side: f32, rng: &mut ChaCha8Rng) -> Self {
        let centre = point((0.5 - MAX_SHIFT, 0.5 + MAX_SHIFT), rng).map(|share| share * side);
        let radius = side * between(RADIUS, rng);
        // From the tangent by a square root, which every machine rounds alike.
        let tangent = between((-MAX_TILT, MAX_TILT), rng);
        let cos = 1.0 / (1.0 + tangent * tangent).sqrt();
        ShapePlacement {
            centre,
            radius,
            cos,
            sin: tangent * cos,
        }
    }

    /// Computes the share of the pixel at column `x` and row `y` that `figure` covers.
    fn cover(&self, figure: Figure, x: usize, y: usize) -> f32 {
        let step = |index| (index as f32 + 0.5) / SAMPLES as f32;
        let hits = (0..SAMPLES * SAMPLES)
            .filter(|sample| {
                let x = (x as f32 + step(sample % SAMPLES) - self.centre[0]) / self.radius;
                let y = (y as f32 + step(sample / SAMPLES) - self.centre[1]) / self.radius;
                figure.covers(self.cos * x + self.sin * y, self.cos * y - self.sin * x)
            })
            .count();
        hits as f32 / (SAMPLES * SAMPLES) as f32
    }
}

/// Draws a number uniformly from `low` to `high`.
fn between((low, high): (f32, f32), rng: &mut ChaCha8Rng) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

/// Draws a point uniformly from a square: both coordinates from `low` to `high`.
fn point(range: (f32, f32), rng: &mut ChaCha8Rng) -> [f32; 2] {
    [between(range, rng), between(range, rng)]
}

/// Draws a nearly normal number of mean 0 and variance 1: the sum of four uniform numbers of
/// 16 bits, each of mean (2¹⁶ − 1)/2 and variance (2³² − 1)/12.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let bits = rng.next_u64();
    let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
    (sum as f32 - 131_070.0) / 37_837.227
}
