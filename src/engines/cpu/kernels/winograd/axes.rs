//! The one-dimensional transforms, along one axis of an image.
//!
//! Four outputs y of a correlation of inputs d with taps g are
//! `y = Aᵀ[(G g) ⊙ (Bᵀ d)]`, exactly, if the polynomials behind it are multiplied at as
//! many points as there are inputs (Toom–Cook: Lavin & Gray 2016); the transposes of the
//! three maps give the gradients. Points other than the customary small integers cost
//! the same and halve the error (Barabasz et al. 2020); those here measured best.

use super::super::simd::Simd;

/// Transforms along one axis, between 4 outputs, as many inputs as points, and the taps.
///
/// # Safety
/// The methods need the instruction set of `S`.
pub trait Axis<const POINTS: usize, const TAPS: usize> {
    /// Step between windows.
    const STRIDE: usize;
    /// First of the filter's three taps on this axis; the others follow by the stride.
    const FIRST_TAP: usize;
    /// Number of points of the whole filter on an axis; this one has the first of them.
    const SIDE: usize;

    /// Transforms inputs: Bᵀ d.
    unsafe fn input<S: Simd>(d: [S::V; POINTS]) -> [S::V; POINTS];
    /// Transforms products to outputs: Aᵀ m.
    unsafe fn output<S: Simd>(m: [S::V; POINTS]) -> [S::V; 4];
    /// Transforms output gradients: A y, the transpose of [`Axis::output`].
    unsafe fn gradient<S: Simd>(y: [S::V; 4]) -> [S::V; POINTS];
    /// Transforms taps: G g.
    unsafe fn filter<S: Simd>(g: [S::V; TAPS]) -> [S::V; POINTS];
    /// Transforms products to tap gradients: Gᵀ u, the transpose of [`Axis::filter`].
    unsafe fn filter_gradient<S: Simd>(u: [S::V; POINTS]) -> [S::V; TAPS];
}

/// All three taps, for stride 1: F(4, 3) at 0, ±3/4, ±3/2 and ∞.
pub struct All;

/// The outer two taps, for stride 2: F(4, 2) at ±1/2, ±3/2 and ∞.
pub struct Ends;

/// The middle tap, for stride 2. It is F(4, 2) with a second tap of 0, whose product at ∞
/// is 0: so its products add to those of [`Ends`] at the other points.
pub struct Middle;

/// Points ±A and ±B of an axis.
trait Pairs {
    const A: f32;
    const B: f32;
    const A2: f32 = Self::A * Self::A;
    const B2: f32 = Self::B * Self::B;
}

impl Pairs for All {
    const A: f32 = 0.75;
    const B: f32 = 1.5;
}

impl Pairs for Middle {
    const A: f32 = 0.5;
    const B: f32 = 1.5;
}

/// Computes `a·x + b·y`.
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn sum<S: Simd>(a: f32, x: S::V, b: f32, y: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe { S::fma(S::splat(a), x, S::mul(S::splat(b), y)) }
}

/// Computes `x + y` and `x − y`.
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn both<S: Simd>(x: S::V, y: S::V) -> [S::V; 2] {
    // SAFETY: S is present.
    unsafe { [S::add(x, y), S::sub(x, y)] }
}

/// Computes the inputs at A, −A, B and −B; the points 0 and ∞ are none of these, or have been
/// taken out.
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn input_at_pairs<S: Simd, P: Pairs>(d: [S::V; 4]) -> [S::V; 4] {
    // SAFETY: S is present.
    unsafe {
        let (a2, b2) = (S::splat(-P::A2), S::splat(-P::B2));
        let even_a = S::fma(b2, d[1], d[3]);
        let odd_a = S::mul(S::splat(P::A), S::fma(b2, d[0], d[2]));
        let even_b = S::fma(a2, d[1], d[3]);
        let odd_b = S::mul(S::splat(P::B), S::fma(a2, d[0], d[2]));
        let [a, minus_a] = both::<S>(even_a, odd_a);
        let [b, minus_b] = both::<S>(even_b, odd_b);
        [a, minus_a, b, minus_b]
    }
}

/// Computes the input at the last point: `d₄ − (A² + B²)·d₂ + A²B²·d₀`.
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn input_at_end<S: Simd, P: Pairs>(d: [S::V; 5]) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let rest = S::fma(S::splat(-(P::A2 + P::B2)), d[2], d[4]);
        S::fma(S::splat(P::A2 * P::B2), d[0], rest)
    }
}

/// Computes the share of A, −A, B and −B in the outputs.
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn output_of_pairs<S: Simd, P: Pairs>(m: [S::V; 4]) -> [S::V; 4] {
    // SAFETY: S is present.
    unsafe {
        let [even_a, odd_a] = both::<S>(m[0], m[1]);
        let [even_b, odd_b] = both::<S>(m[2], m[3]);
        [
            S::add(even_a, even_b),
            sum::<S>(P::A, odd_a, P::B, odd_b),
            sum::<S>(P::A2, even_a, P::B2, even_b),
            sum::<S>(P::A * P::A2, odd_a, P::B * P::B2, odd_b),
        ]
    }
}

/// Computes the transpose of [`output_of_pairs`].
///
/// # Safety
/// S is present.
#[inline(always)]
unsafe fn gradient_at_pairs<S: Simd, P: Pairs>(y: [S::V; 4]) -> [S::V; 4] {
    // SAFETY: S is present.
    unsafe {
        let even_a = S::fma(S::splat(P::A2), y[2], y[0]);
        let odd_a = sum::<S>(P::A, y[1], P::A * P::A2, y[3]);
        let even_b = S::fma(S::splat(P::B2), y[2], y[0]);
        let odd_b = sum::<S>(P::B, y[1], P::B * P::B2, y[3]);
        let [a, minus_a] = both::<S>(even_a, odd_a);
        let [b, minus_b] = both::<S>(even_b, odd_b);
        [a, minus_a, b, minus_b]
    }
}

// 1/N of the points, N being the product of a point's distances from the others.
impl All {
    const N0: f32 = 1.0 / (Self::A2 * Self::B2);
    const NA: f32 = 1.0 / (2.0 * Self::A2 * (Self::A2 - Self::B2));
    const NB: f32 = 1.0 / (2.0 * Self::B2 * (Self::B2 - Self::A2));
}

impl Axis<6, 3> for All {
    const STRIDE: usize = 1;
    const FIRST_TAP: usize = 0;
    const SIDE: usize = 6;

    #[inline(always)]
    unsafe fn input<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
        // SAFETY: S is present.
        unsafe {
            let [d0, d1, d2, d3, d4, d5] = d;
            let [a, minus_a, b, minus_b] = input_at_pairs::<S, All>([d1, d2, d3, d4]);
            let zero = input_at_end::<S, All>([d0, d1, d2, d3, d4]);
            let infinity = input_at_end::<S, All>([d1, d2, d3, d4, d5]);
            [zero, a, minus_a, b, minus_b, infinity]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
        // SAFETY: S is present.
        unsafe {
            let [zero, a, minus_a, b, minus_b, infinity] = m;
            let [y0, y1, y2, y3] = output_of_pairs::<S, All>([a, minus_a, b, minus_b]);
            [S::add(zero, y0), y1, y2, S::add(y3, infinity)]
        }
    }

    #[inline(always)]
    unsafe fn gradient<S: Simd>(y: [S::V; 4]) -> [S::V; 6] {
        // SAFETY: S is present.
        unsafe {
            let [a, minus_a, b, minus_b] = gradient_at_pairs::<S, All>(y);
            [y[0], a, minus_a, b, minus_b, y[3]]
        }
    }

    #[inline(always)]
    unsafe fn filter<S: Simd>(g: [S::V; 3]) -> [S::V; 6] {
        // SAFETY: S is present.
        unsafe {
            let scaled = |p2: f32, n: f32| S::mul(S::splat(n), S::fma(S::splat(p2), g[2], g[0]));
            let odd_a = S::mul(S::splat(Self::A * Self::NA), g[1]);
            let odd_b = S::mul(S::splat(Self::B * Self::NB), g[1]);
            let [a, minus_a] = both::<S>(scaled(Self::A2, Self::NA), odd_a);
            let [b, minus_b] = both::<S>(scaled(Self::B2, Self::NB), odd_b);
            let zero = S::mul(S::splat(Self::N0), g[0]);
            [zero, a, minus_a, b, minus_b, g[2]]
        }
    }

    #[inline(always)]
    unsafe fn filter_gradient<S: Simd>(u: [S::V; 6]) -> [S::V; 3] {
        // SAFETY: S is present.
        unsafe {
            let [zero, a, minus_a, b, minus_b, infinity] = u;
            let [even_a, odd_a] = both::<S>(a, minus_a);
            let [even_b, odd_b] = both::<S>(b, minus_b);
            let (na, nb) = (Self::NA, Self::NB);
            let g2 = sum::<S>(Self::A2 * na, even_a, Self::B2 * nb, even_b);
            [
                S::fma(S::splat(Self::N0), zero, sum::<S>(na, even_a, nb, even_b)),
                sum::<S>(Self::A * na, odd_a, Self::B * nb, odd_b),
                S::add(g2, infinity),
            ]
        }
    }
}

// 1/N of A and B; that of −A and −B is its negative.
impl Middle {
    const NA: f32 = 1.0 / (2.0 * Self::A * (Self::A2 - Self::B2));
    const NB: f32 = 1.0 / (2.0 * Self::B * (Self::B2 - Self::A2));
}

impl Axis<5, 2> for Ends {
    const STRIDE: usize = 2;
    const FIRST_TAP: usize = 0;
    const SIDE: usize = 5;

    #[inline(always)]
    unsafe fn input<S: Simd>(d: [S::V; 5]) -> [S::V; 5] {
        // SAFETY: S is present.
        unsafe {
            let [a, minus_a, b, minus_b] = Middle::input::<S>([d[0], d[1], d[2], d[3]]);
            [a, minus_a, b, minus_b, input_at_end::<S, Middle>(d)]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; 5]) -> [S::V; 4] {
        // SAFETY: S is present.
        unsafe {
            let [a, minus_a, b, minus_b, infinity] = m;
            let [y0, y1, y2, y3] = Middle::output::<S>([a, minus_a, b, minus_b]);
            [y0, y1, y2, S::add(y3, infinity)]
        }
    }

    #[inline(always)]
    unsafe fn gradient<S: Simd>(y: [S::V; 4]) -> [S::V; 5] {
        // SAFETY: S is present.
        unsafe {
            let [a, minus_a, b, minus_b] = Middle::gradient::<S>(y);
            [a, minus_a, b, minus_b, y[3]]
        }
    }

    #[inline(always)]
    unsafe fn filter<S: Simd>(g: [S::V; 2]) -> [S::V; 5] {
        // SAFETY: S is present.
        unsafe {
            let scaled = |n: f32, g| S::mul(S::splat(n), g);
            let (na, nb) = (Middle::NA, Middle::NB);
            let [a, minus_a] = both::<S>(scaled(Middle::A * na, g[1]), scaled(na, g[0]));
            let [b, minus_b] = both::<S>(scaled(Middle::B * nb, g[1]), scaled(nb, g[0]));
            [a, minus_a, b, minus_b, g[1]]
        }
    }

    #[inline(always)]
    unsafe fn filter_gradient<S: Simd>(u: [S::V; 5]) -> [S::V; 2] {
        // SAFETY: S is present.
        unsafe {
            let [even_a, odd_a] = both::<S>(u[0], u[1]);
            let [even_b, odd_b] = both::<S>(u[2], u[3]);
            let (na, nb) = (Middle::NA, Middle::NB);
            let g1 = sum::<S>(Middle::A * na, even_a, Middle::B * nb, even_b);
            [sum::<S>(na, odd_a, nb, odd_b), S::add(g1, u[4])]
        }
    }
}

impl Axis<4, 1> for Middle {
    const STRIDE: usize = 2;
    const FIRST_TAP: usize = 1;
    const SIDE: usize = 5;

    #[inline(always)]
    unsafe fn input<S: Simd>(d: [S::V; 4]) -> [S::V; 4] {
        // SAFETY: S is present.
        unsafe { input_at_pairs::<S, Middle>(d) }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; 4]) -> [S::V; 4] {
        // SAFETY: S is present.
        unsafe { output_of_pairs::<S, Middle>(m) }
    }

    #[inline(always)]
    unsafe fn gradient<S: Simd>(y: [S::V; 4]) -> [S::V; 4] {
        // SAFETY: S is present.
        unsafe { gradient_at_pairs::<S, Middle>(y) }
    }

    #[inline(always)]
    unsafe fn filter<S: Simd>(g: [S::V; 1]) -> [S::V; 4] {
        let scales = [Self::NA, -Self::NA, Self::NB, -Self::NB];
        // SAFETY: S is present.
        scales.map(|n| unsafe { S::mul(S::splat(n), g[0]) })
    }

    #[inline(always)]
    unsafe fn filter_gradient<S: Simd>(u: [S::V; 4]) -> [S::V; 1] {
        // SAFETY: S is present.
        unsafe {
            let (odd_a, odd_b) = (S::sub(u[0], u[1]), S::sub(u[2], u[3]));
            [sum::<S>(Self::NA, odd_a, Self::NB, odd_b)]
        }
    }
}
