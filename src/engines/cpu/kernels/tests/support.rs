//! Helpers of the kernel tests: data, references and comparisons.

use super::super::{ConvGeometry, Isa, Pool, padded};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Makes numbers uniform in (−1, 1) from a seed.
pub fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| uniform(&mut rng)).collect()
}

fn uniform(rng: &mut impl Rng) -> f32 {
    rng.random_range(-1.0f32..1.0)
}

/// Makes `rows` rows of `padded(channels)` such numbers, zero past the channels.
pub fn random_rows(rows: usize, channels: usize, seed: u64) -> Vec<f32> {
    let stride = padded(channels);
    let mut data = random(rows * stride, seed);
    for row in data.chunks_exact_mut(stride) {
        row[channels..].fill(0.0);
    }
    data
}

/// Asserts that lanes past the channels are zero.
pub fn assert_padding(data: &[f32], channels: usize, what: &str) {
    for row in data.chunks_exact(padded(channels)) {
        assert!(
            row[channels..].iter().all(|x| *x == 0.0),
            "{what}: padding written"
        );
    }
}

/// Asserts that the largest difference is within `tolerance` of the largest reference (or of
/// 1e-3, if that is smaller).
pub fn assert_close(got: &[f32], want: &[f64], tolerance: f64, what: &str) {
    assert_close_for(got, want, tolerance, 1e-3, what);
}

/// Asserts that the largest difference is within `tolerance` of the largest reference or of
/// `scale`, whichever is larger: for sums of terms of that size that may cancel.
pub fn assert_close_for(got: &[f32], want: &[f64], tolerance: f64, scale: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().map(|x| x.abs()).fold(scale, f64::max);
    let worst = got
        .iter()
        .zip(want)
        .map(|(g, w)| (f64::from(*g) - w).abs())
        .fold(
            0.0,
            |m: f64, x| if x.is_nan() { f64::INFINITY } else { m.max(x) },
        );
    assert!(
        worst <= tolerance * scale,
        "{what}: off by {:.2e} of {scale:.2e}",
        worst / scale
    );
}

/// Runs `kernel` on every instruction set; on each, several numbers of threads must give the
/// same bits. Returns the results by instruction set.
pub fn on_all(mut kernel: impl FnMut(&Pool) -> Vec<Vec<f32>>) -> Vec<(Isa, Vec<Vec<f32>>)> {
    Isa::all()
        .map(|isa| {
            let one = kernel(&Pool::with_isa(1, isa).unwrap());
            for threads in [2, 5] {
                let more = kernel(&Pool::with_isa(threads, isa).unwrap());
                let same = one
                    .iter()
                    .flatten()
                    .map(|x| x.to_bits())
                    .eq(more.iter().flatten().map(|x| x.to_bits()));
                assert!(same, "{isa:?}: {threads} threads give other bits");
            }
            (isa, one)
        })
        .collect()
}

/// Makes scratch filled with NaN, which must not matter.
pub fn scratch(len: usize) -> Vec<f32> {
    vec![f32::NAN; len]
}

/// Outputs y, dx and dw of a convolution by definition, in double precision.
pub struct Reference {
    /// Output y, `[N][H'][W'][padded(O)]`.
    pub y: Vec<f64>,
    /// Gradient ∂C/∂x, `[N][H][W][padded(I)]`.
    pub dx: Vec<f64>,
    /// Gradient ∂C/∂w, `O×I×k×k`.
    pub dw: Vec<f64>,
}

/// Computes the outputs of a convolution by definition.
pub fn reference(g: &ConvGeometry, x: &[f32], w: &[f32], dy: &[f32]) -> Reference {
    let (pi, po) = (padded(g.in_channels), padded(g.out_channels));
    let mut r = Reference {
        y: vec![0.0; g.output_len()],
        dx: vec![0.0; g.input_len()],
        dw: vec![0.0; g.weight_len()],
    };
    let (oh, ow) = (g.out_height(), g.out_width());
    for (out, tap) in (0..g.batch * oh * ow).flat_map(|o| (0..g.taps()).map(move |t| (o, t))) {
        let (n, oy, ox) = (out / (oh * ow), out / ow % oh, out % ow);
        let iy = (oy * g.stride + tap / g.kernel.1).wrapping_sub(g.padding);
        let ix = (ox * g.stride + tap % g.kernel.1).wrapping_sub(g.padding);
        if iy >= g.height || ix >= g.width {
            continue;
        }
        let input = ((n * g.height + iy) * g.width + ix) * pi;
        for o in 0..g.out_channels {
            let d = f64::from(dy[out * po + o]);
            for i in 0..g.in_channels {
                let weight = (o * g.in_channels + i) * g.taps() + tap;
                r.y[out * po + o] += f64::from(x[input + i]) * f64::from(w[weight]);
                r.dx[input + i] += d * f64::from(w[weight]);
                r.dw[weight] += d * f64::from(x[input + i]);
            }
        }
    }
    r
}
