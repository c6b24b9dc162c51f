//! Elementary functions of sixteen floats.
//!
//! They are good to a few units in the last place, and right for NaN and infinities.
//! Subnormal arguments may count as 0, and subnormal results may be 0.

use super::LANES;
use super::simd::Simd;

/// Computes Σ cᵢ·xⁱ, the highest power first.
///
/// # Safety
/// S is present.
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

/// Number that rounds a small one to an integer when it is added, which is then in the
/// low bits.
const ROUND: f32 = 12_582_912.0;

/// Reduces x to `(n + ROUND, r)` with x = n·ln 2 + r and |r| ≤ ln 2/2.
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn reduce<S: Simd>(x: S::V) -> (S::V, S::V) {
    // SAFETY: S is present.
    unsafe {
        let shifted = S::fma(x, S::splat(std::f32::consts::LOG2_E), S::splat(ROUND));
        let n = S::sub(shifted, S::splat(ROUND));
        // ln 2 in two parts, the first of few bits, so that the products are exact.
        let r = S::fma(n, S::splat(-0.693_359_4), x);
        (shifted, S::fma(n, S::splat(2.121_944_4e-4), r))
    }
}

/// Computes eʳ − 1 for |r| ≤ ln 2/2.
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn small_expm1<S: Simd>(r: S::V) -> S::V {
    let tail = [
        1.987_569_1e-4,
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    // SAFETY: S is present.
    unsafe {
        let square = S::mul(r, r);
        S::fma(polynomial::<S>(r, &tail), square, r)
    }
}

/// Computes eˣ with x kept within the limits of normal results: never 0, never infinite.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn bounded_exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let x = S::min(S::splat(88.0), S::max(S::splat(-87.0), x));
        let (shifted, r) = reduce::<S>(x);
        let fraction = small_expm1::<S>(r);
        S::mul(S::add(fraction, S::splat(1.0)), power_of_two::<S>(shifted))
    }
}

/// Computes eˣ.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let one = S::splat(1.0);
        let (shifted, r) = reduce::<S>(S::min(S::splat(89.0), S::max(S::splat(-88.0), x)));
        // 2ⁿ may be infinite where the result is not: half of it, twice.
        let up = S::if_less(x, S::splat(0.0), S::splat(0.0), one);
        let scale = power_of_two::<S>(S::sub(shifted, up));
        S::mul(
            S::mul(S::add(small_expm1::<S>(r), one), scale),
            S::add(up, one),
        )
    }
}

/// Computes eˣ − 1, exact near 0.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn expm1<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let one = S::splat(1.0);
        let (shifted, r) = reduce::<S>(S::min(S::splat(89.0), S::max(S::splat(-30.0), x)));
        // As above, in halves: 2ⁿ⁻¹·(eʳ − 1) + (2ⁿ⁻¹ − ½), twice.
        let up = S::if_less(x, S::splat(0.0), S::splat(0.0), one);
        let scale = power_of_two::<S>(S::sub(shifted, up));
        let rest = S::sub(scale, S::fma(up, S::splat(-0.5), one));
        S::mul(S::fma(small_expm1::<S>(r), scale, rest), S::add(up, one))
    }
}

/// Computes 2ⁿ for the integers n in the low bits, by their place in the exponent.
///
/// # Safety
/// S is present.
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

/// Computes the natural logarithm of normal positive numbers.
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn normal_ln<S: Simd>(x: S::V) -> S::V {
    /// Bits of √½: fractions are taken from there to √2.
    const LEAST: i32 = 0x3f35_04f3;
    let tail = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_7e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    let (mut fractions, mut exponents) = ([0.0f32; LANES], [0.0f32; LANES]);
    // SAFETY: sixteen floats.
    unsafe {
        S::store(fractions.as_mut_ptr(), x);
        for (fraction, exponent) in fractions.iter_mut().zip(&mut exponents) {
            let bits = (fraction.to_bits() as i32).wrapping_sub(LEAST);
            *exponent = (bits >> 23) as f32;
            *fraction = f32::from_bits(((bits & 0x7f_ffff) + LEAST) as u32);
        }
        let m = S::sub(S::load(fractions.as_ptr()), S::splat(1.0));
        let e = S::load(exponents.as_ptr());
        let square = S::mul(m, m);
        let y = S::mul(S::mul(polynomial::<S>(m, &tail), m), square);
        // As in `reduce`.
        let y = S::fma(e, S::splat(-2.121_944_4e-4), y);
        let y = S::fma(square, S::splat(-0.5), y);
        S::fma(e, S::splat(0.693_359_4), S::add(m, y))
    }
}

/// Computes the natural logarithm.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn ln<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let [zero, infinity] = [0.0, f32::INFINITY].map(|limit| S::splat(limit));
        let y = normal_ln::<S>(x);
        let y = S::if_less(
            x,
            S::splat(f32::MIN_POSITIVE),
            S::splat(f32::NEG_INFINITY),
            y,
        );
        let y = S::if_less(x, zero, S::splat(f32::NAN), y);
        // Infinity and NaN are their own logarithms.
        S::if_less(x, infinity, y, S::max(zero, x))
    }
}

/// Computes ln(1 + eˣ).
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn softplus<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let (zero, one) = (S::splat(0.0), S::splat(1.0));
        let e = exp::<S>(S::min(S::sub(zero, x), x));
        // ln(1 + e), with what the sum rounds off.
        let sum = S::add(one, e);
        let lost = S::sub(e, S::sub(sum, one));
        let y = S::fma(lost, S::reciprocal(sum), normal_ln::<S>(sum));
        S::add(S::max(zero, x), y)
    }
}

/// Computes the error function.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn erf<S: Simd>(x: S::V) -> S::V {
    let above = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    let below = [
        -1.456_607_2e-5,
        -2.133_740_6e-4,
        -1.682_827e-3,
        -7.373_329_2e-3,
        -1.426_473_9e-2,
    ];
    // SAFETY: S is present.
    unsafe {
        // Past 4 it is 1.
        let x = S::min(S::splat(4.0), S::max(S::splat(-4.0), x));
        let square = S::mul(x, x);
        let (above, below) = (
            polynomial::<S>(square, &above),
            polynomial::<S>(square, &below),
        );
        S::mul(x, S::div(above, below))
    }
}

/// Computes the sine of radians.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn sin<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe { wave::<S>(x, 0, libm::sinf) }
}

/// Computes the cosine of radians.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn cos<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe { wave::<S>(x, 1, libm::cosf) }
}

/// Computes the sine, `quarters` of a turn ahead; far from 0 by `exact`.
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn wave<S: Simd>(x: S::V, quarters: u32, exact: fn(f32) -> f32) -> S::V {
    /// Largest |x| for which the products of the reduction are exact.
    const FAR: f32 = 8192.0;
    let (mut arguments, mut odd, mut signs) = ([0.0f32; LANES], [0.0f32; LANES], [0.0f32; LANES]);
    // SAFETY: sixteen floats.
    unsafe {
        S::store(arguments.as_mut_ptr(), x);
        let two_over_pi = S::splat(std::f32::consts::FRAC_2_PI);
        let shifted = S::fma(x, two_over_pi, S::splat(ROUND));
        let n = S::sub(shifted, S::splat(ROUND));
        // π/2 in three parts of few bits.
        let r = S::fma(n, S::splat(-1.570_312_5), x);
        let r = S::fma(n, S::splat(-4.837_513e-4), r);
        let r = S::fma(n, S::splat(-7.549_79e-8), r);
        S::store(odd.as_mut_ptr(), shifted);
        for (odd, sign) in odd.iter_mut().zip(&mut signs) {
            let quarter = odd.to_bits().wrapping_add(quarters);
            *odd = (quarter & 1) as f32;
            *sign = 1.0 - (quarter & 2) as f32;
        }
        let square = S::mul(r, r);
        let tail = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];
        let sine = S::fma(S::mul(polynomial::<S>(square, &tail), square), r, r);
        let tail = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2, -0.5];
        let cosine = S::fma(polynomial::<S>(square, &tail), square, S::splat(1.0));
        let y = S::if_positive(S::load(odd.as_ptr()), cosine, sine);
        let y = S::mul(y, S::load(signs.as_ptr()));
        if arguments.iter().all(|x| x.abs() <= FAR) {
            return y;
        }
        S::store(odd.as_mut_ptr(), y);
        for (y, x) in odd.iter_mut().zip(arguments) {
            if x.is_nan() || x.abs() > FAR {
                *y = exact(x);
            }
        }
        S::load(odd.as_ptr())
    }
}

/// Computes a to the power b, lane by lane.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn pow<S: Simd>(a: S::V, b: S::V) -> S::V {
    let (mut bases, mut exponents) = ([0.0f32; LANES], [0.0f32; LANES]);
    // SAFETY: sixteen floats each.
    unsafe {
        S::store(bases.as_mut_ptr(), a);
        S::store(exponents.as_mut_ptr(), b);
        for (base, exponent) in bases.iter_mut().zip(exponents) {
            *base = libm::powf(*base, exponent);
        }
        S::load(bases.as_ptr())
    }
}

/// Computes 1/(1 + e⁻ˣ).
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let e = bounded_exp::<S>(S::sub(S::splat(0.0), x));
        S::reciprocal(S::add(S::splat(1.0), e))
    }
}

/// Computes the hyperbolic tangent.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn tanh<S: Simd>(x: S::V) -> S::V {
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
        let part = S::reciprocal(S::add(bounded_exp::<S>(S::add(x, x)), one));
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
        /// Computes eˣ, sigmoid and tanh of sixteen floats.
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
