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
                let below = S::sub(exp::<S>(x), S::splat(1.0));
                S::if_positive(x, x, S::mul(S::splat(alpha), below))
            }
            Activation::Tanh => tanh::<S>(x),
            Activation::Sigmoid => sigmoid::<S>(x),
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
        let one = S::splat(1.0);
        match activation {
            Activation::Identity => d,
            Activation::Relu => S::if_positive(x, d, S::splat(0.0)),
            Activation::LeakyRelu { slope } => S::if_positive(x, d, S::mul(S::splat(slope), d)),
            Activation::Elu { alpha } => {
                let slope = S::mul(S::splat(alpha), exp::<S>(x));
                S::if_positive(x, d, S::mul(slope, d))
            }
            Activation::Tanh => {
                let y = tanh::<S>(x);
                S::mul(S::sub(one, S::mul(y, y)), d)
            }
            Activation::Sigmoid => {
                let y = sigmoid::<S>(x);
                S::mul(S::mul(y, S::sub(one, y)), d)
            }
        }
    }
}

/// Σ cᵢ·xⁱ, the highest power first.
#[inline(always)]
unsafe fn polynomial<S: Simd>(x: S::V, coefficients: &[f32]) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let mut sum = S::splat(0.0);
        for c in coefficients {
            sum = S::fma(sum, x, S::splat(*c));
        }
        sum
    }
}

/// eˣ to about 2 units in the last place, within the limits of finite results; NaN stays
/// NaN.
#[inline(always)]
unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    /// Adding it rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // SAFETY: S is present.
    unsafe {
        let x = S::min(S::splat(88.0), S::max(S::splat(-87.0), x));
        let shifted = S::fma(x, S::splat(std::f32::consts::LOG2_E), S::splat(ROUND));
        let n = S::sub(shifted, S::splat(ROUND));
        // ln 2 in two parts, the first of few bits, so that the products are exact.
        let r = S::fma(n, S::splat(-0.693_359_4), x);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        let tail = [
            1.987_569_1e-4,
            1.398_2e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_5e-1,
            0.5,
        ];
        let square = S::mul(r, r);
        let fraction = S::fma(polynomial::<S>(r, &tail), square, r);
        S::mul(S::add(fraction, S::splat(1.0)), power_of_two::<S>(shifted))
    }
}

/// 2ⁿ for the integers n in the low bits, by their place in the exponent.
#[inline(always)]
unsafe fn power_of_two<S: Simd>(n: S::V) -> S::V {
    let mut lanes = [0.0f32; LANES];
    // SAFETY: sixteen floats.
    unsafe {
        S::store(lanes.as_mut_ptr(), n);
        for lane in &mut lanes {
            *lane = f32::from_bits((lane.to_bits() << 23).wrapping_add(0x3f80_0000));
        }
        S::load(lanes.as_ptr())
    }
}

#[inline(always)]
unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let e = exp::<S>(S::sub(S::splat(0.0), x));
        S::reciprocal(S::add(S::splat(1.0), e))
    }
}

#[inline(always)]
unsafe fn tanh<S: Simd>(x: S::V) -> S::V {
    let tail = [
        -5.704_988_7e-3,
        2.063_909e-2,
        -5.373_971_6e-2,
        1.333_144_2e-1,
        -3.333_328e-1,
    ];
    // SAFETY: S is present.
    unsafe {
        let one = S::splat(1.0);
        let part = S::reciprocal(S::add(exp::<S>(S::add(x, x)), one));
        let large = S::fma(S::splat(-2.0), part, one);
        let z = S::mul(x, x);
        let small = S::fma(S::mul(polynomial::<S>(z, &tail), z), x, x);
        S::if_positive(S::sub(S::splat(0.390_625), z), small, large)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Isa;
    use super::super::simd::simd;
    use super::*;

    simd! {
        /// eˣ, sigmoid and tanh of sixteen floats.
        fn all(x: *const f32, to: [*mut f32; 3]) = all_generic
    }

    #[inline(always)]
    unsafe fn all_generic<S: Simd>(x: *const f32, to: [*mut f32; 3]) {
        // SAFETY: sixteen floats each.
        unsafe {
            let x = S::load(x);
            let values = [exp::<S>(x), sigmoid::<S>(x), tanh::<S>(x)];
            to.into_iter()
                .zip(values)
                .for_each(|(to, v)| S::store(to, v));
        }
    }

    fn values(isa: Isa, x: f32) -> [f32; 3] {
        let mut to = [[0.0f32; LANES]; 3];
        // SAFETY: sixteen floats each.
        unsafe {
            all(
                isa,
                [x; LANES].as_ptr(),
                to.each_mut().map(|t| t.as_mut_ptr()),
            )
        };
        to.map(|t| t[LANES - 1])
    }

    #[test]
    fn functions_are_good_to_a_few_units_in_the_last_place() {
        for isa in Isa::all() {
            for step in -8000..=8000 {
                let x = step as f32 * 0.01;
                let exact = f64::from(x);
                let want = [
                    ("exp", exact.exp()),
                    ("sigmoid", 1.0 / (1.0 + (-exact).exp())),
                    ("tanh", exact.tanh()),
                ];
                for (got, (what, want)) in values(isa, x).into_iter().zip(want) {
                    let error = (f64::from(got) - want).abs() / want.abs().max(1e-30);
                    assert!(
                        error < 4e-7,
                        "{isa:?} {what}({x}): {got} is off by {error:.1e}"
                    );
                }
            }
            assert!(values(isa, f32::NAN).iter().all(|y| y.is_nan()));
            let [exp, sigmoid, tanh] = values(isa, f32::NEG_INFINITY);
            assert!(exp < 1e-37 && sigmoid < 1e-37 && tanh == -1.0);
            let [exp, sigmoid, tanh] = values(isa, f32::INFINITY);
            assert!(exp > 1e38 && sigmoid == 1.0 && tanh == 1.0);
        }
    }
}
