//! Activations and their derivatives.

use super::LANES;
use super::simd::Simd;

/// What is applied to every element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x.
    Identity,
    /// max(x, 0).
    Relu,
    /// x where positive, else slope·x.
    LeakyRelu {
        /// Slope of the negative half.
        slope: f32,
    },
    /// x where positive, else alpha·(eˣ − 1).
    Elu {
        /// The limit for x → −∞, negated.
        alpha: f32,
    },
    /// Hyperbolic tangent.
    Tanh,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
}

/// The activation of sixteen floats.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn value<S: Simd>(activation: Activation, x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        match activation {
            Activation::Identity => x,
            // Not a maximum, which would lose NaN.
            Activation::Relu => S::if_positive(S::sub(S::splat(0.0), x), S::splat(0.0), x),
            Activation::LeakyRelu { slope } => S::if_positive(x, x, S::mul(S::splat(slope), x)),
            Activation::Elu { alpha } => {
                S::if_positive(x, x, map::<S>(x, |x| alpha * (exp(x) - 1.0)))
            }
            Activation::Tanh => map::<S>(x, tanh),
            Activation::Sigmoid => map::<S>(x, sigmoid),
        }
    }
}

/// The derivative at sixteen floats, times `d`. At a kink it is that of the left.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn derivative<S: Simd>(activation: Activation, x: S::V, d: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        match activation {
            Activation::Identity => d,
            Activation::Relu => S::if_positive(x, d, S::splat(0.0)),
            Activation::LeakyRelu { slope } => S::if_positive(x, d, S::mul(S::splat(slope), d)),
            Activation::Elu { alpha } => {
                S::if_positive(x, d, S::mul(map::<S>(x, |x| alpha * exp(x)), d))
            }
            Activation::Tanh => {
                let slope = |x| {
                    let y = tanh(x);
                    1.0 - y * y
                };
                S::mul(map::<S>(x, slope), d)
            }
            Activation::Sigmoid => {
                let slope = |x| {
                    let y = sigmoid(x);
                    y * (1.0 - y)
                };
                S::mul(map::<S>(x, slope), d)
            }
        }
    }
}

/// Applies a function without branches, which the compiler vectorises.
#[inline(always)]
unsafe fn map<S: Simd>(x: S::V, f: impl Fn(f32) -> f32) -> S::V {
    let mut lanes = [0.0f32; LANES];
    // SAFETY: sixteen floats.
    unsafe {
        S::store(lanes.as_mut_ptr(), x);
        for lane in &mut lanes {
            *lane = f(*lane);
        }
        S::load(lanes.as_ptr())
    }
}

/// eˣ to about 2 units in the last place; NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding it rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // The limits of finite results, in a form that keeps NaN.
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first of few bits, so that the products are exact.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let tail = 1.987_569_1e-4f32;
    let tail = tail * r + 1.398_2e-3;
    let tail = tail * r + 8.333_452e-3;
    let tail = tail * r + 4.166_579_6e-2;
    let tail = tail * r + 1.666_666_5e-1;
    let tail = tail * r + 0.5;
    let fraction = tail * r * r + r + 1.0;
    fraction * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    let large = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
    let z = x * x;
    let tail = -5.704_988_7e-3f32;
    let tail = tail * z + 2.063_909e-2;
    let tail = tail * z - 5.373_971_6e-2;
    let tail = tail * z + 1.333_144_2e-1;
    let tail = tail * z - 3.333_328e-1;
    let small = tail * z * x + x;
    if z < 0.390_625 { small } else { large }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_good_to_a_few_units_in_the_last_place() {
        for step in -8000..=8000 {
            let x = step as f32 * 0.01;
            let exact = f64::from(x);
            let close = |got: f32, want: f64, what: &str| {
                let error = (f64::from(got) - want).abs() / want.abs().max(1e-30);
                assert!(error < 4e-7, "{what}({x}): {got} is off by {error:.1e}");
            };
            close(exp(x), exact.exp(), "exp");
            close(sigmoid(x), 1.0 / (1.0 + (-exact).exp()), "sigmoid");
            close(tanh(x), exact.tanh(), "tanh");
        }
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }
}
