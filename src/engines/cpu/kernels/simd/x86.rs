//! The vector instructions of x86-64.

use super::operations::Simd;
use std::arch::x86_64::*;

/// AVX-512F.
#[derive(Clone, Copy)]
pub struct Avx512;

impl Simd for Avx512 {
    type V = __m512;
    const ROWS: usize = 14;
    const PAIR: bool = true;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        // SAFETY: the instructions are there, and the sixteen floats.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, x: __m512) {
        // SAFETY: the instructions are there, and the sixteen floats.
        unsafe { _mm512_storeu_ps(to, x) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn reciprocal(x: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe {
            // Fourteen bits, and a step of Newton's method: less than a division.
            let y = _mm512_rcp14_ps(x);
            let error = _mm512_fnmadd_ps(x, y, _mm512_set1_ps(1.0));
            _mm512_fmadd_ps(y, error, y)
        }
    }
    #[inline(always)]
    unsafe fn if_positive(x: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps());
            _mm512_mask_blend_ps(positive, b, a)
        }
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(x: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_sqrt_ps(x) }
    }
    #[inline(always)]
    unsafe fn if_less(x: __m512, y: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, y), b, a) }
    }
    #[inline(always)]
    unsafe fn if_at_most(x: __m512, y: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(x, y), b, a) }
    }
    #[inline(always)]
    unsafe fn if_equal(x: __m512, y: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(x, y), b, a) }
    }
    #[inline(always)]
    unsafe fn sums(rows: [__m512; 16]) -> __m512 {
        // SAFETY: the instructions are there.
        unsafe {
            // Of a row eight lanes are left, then four, two and one.
            let mut halves = [_mm512_setzero_ps(); 8];
            for j in 0..8 {
                let (a, b) = (rows[j / 2 + j % 2 * 8], rows[j / 2 + j % 2 * 8 + 4]);
                let low = _mm512_shuffle_f32x4::<0x44>(a, b);
                halves[j] = _mm512_add_ps(low, _mm512_shuffle_f32x4::<0xee>(a, b));
            }
            let mut quarters = [_mm512_setzero_pd(); 4];
            for j in 0..4 {
                let (a, b) = (halves[2 * j], halves[2 * j + 1]);
                let even = _mm512_shuffle_f32x4::<0x88>(a, b);
                let odd = _mm512_shuffle_f32x4::<0xdd>(a, b);
                quarters[j] = _mm512_castps_pd(_mm512_add_ps(even, odd));
            }
            let mut pairs = [_mm512_setzero_ps(); 2];
            for j in 0..2 {
                let (a, b) = (quarters[2 * j], quarters[2 * j + 1]);
                let low = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                let high = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                pairs[j] = _mm512_add_ps(low, high);
            }
            let even = _mm512_shuffle_ps::<0x88>(pairs[0], pairs[1]);
            _mm512_add_ps(even, _mm512_shuffle_ps::<0xdd>(pairs[0], pairs[1]))
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: the instructions are there, and so are the floats of the squares.
        unsafe {
            let mut pairs = [_mm512_setzero_ps(); 16];
            for i in 0..8 {
                let a = _mm512_loadu_ps(from.add(2 * i * from_stride));
                let b = _mm512_loadu_ps(from.add((2 * i + 1) * from_stride));
                pairs[2 * i] = _mm512_unpacklo_ps(a, b);
                pairs[2 * i + 1] = _mm512_unpackhi_ps(a, b);
            }
            // quads[4g + j], 128-bit lane b: column 4b + j of rows 4g to 4g + 3.
            let mut quads = [_mm512_setzero_ps(); 16];
            for g in 0..4 {
                for half in 0..2 {
                    let a = _mm512_castps_pd(pairs[4 * g + half]);
                    let b = _mm512_castps_pd(pairs[4 * g + 2 + half]);
                    quads[4 * g + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                    quads[4 * g + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                }
            }
            for j in 0..4 {
                let even = _mm512_shuffle_f32x4::<0x88>(quads[j], quads[4 + j]);
                let odd = _mm512_shuffle_f32x4::<0xdd>(quads[j], quads[4 + j]);
                let even2 = _mm512_shuffle_f32x4::<0x88>(quads[8 + j], quads[12 + j]);
                let odd2 = _mm512_shuffle_f32x4::<0xdd>(quads[8 + j], quads[12 + j]);
                let columns = [
                    _mm512_shuffle_f32x4::<0x88>(even, even2),
                    _mm512_shuffle_f32x4::<0x88>(odd, odd2),
                    _mm512_shuffle_f32x4::<0xdd>(even, even2),
                    _mm512_shuffle_f32x4::<0xdd>(odd, odd2),
                ];
                for (b, column) in columns.into_iter().enumerate() {
                    _mm512_storeu_ps(to.add((4 * b + j) * to_stride), column);
                }
            }
        }
    }
}

/// AVX2 with FMA, two registers at a time.
#[derive(Clone, Copy)]
pub struct Avx2;

type Pair = (__m256, __m256);

impl Simd for Avx2 {
    type V = Pair;
    const ROWS: usize = 6;
    const PAIR: bool = false;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Pair {
        // SAFETY: the instructions are there.
        let x = unsafe { _mm256_set1_ps(x) };
        (x, x)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Pair {
        // SAFETY: the instructions are there, and the sixteen floats.
        unsafe { (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, x: Pair) {
        // SAFETY: the instructions are there, and the sixteen floats.
        unsafe {
            _mm256_storeu_ps(to, x.0);
            _mm256_storeu_ps(to.add(8), x.1);
        }
    }
    #[inline(always)]
    unsafe fn add(a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe { (_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn sub(a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe { (_mm256_sub_ps(a.0, b.0), _mm256_sub_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn mul(a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe { (_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn fma(a: Pair, b: Pair, c: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe {
            (
                _mm256_fmadd_ps(a.0, b.0, c.0),
                _mm256_fmadd_ps(a.1, b.1, c.1),
            )
        }
    }
    #[inline(always)]
    unsafe fn max(a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe { (_mm256_max_ps(a.0, b.0), _mm256_max_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn min(a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe { (_mm256_min_ps(a.0, b.0), _mm256_min_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn reciprocal(x: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe {
            let one = _mm256_set1_ps(1.0);
            (_mm256_div_ps(one, x.0), _mm256_div_ps(one, x.1))
        }
    }
    #[inline(always)]
    unsafe fn if_positive(x: Pair, a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe {
            let zero = _mm256_setzero_ps();
            (
                _mm256_blendv_ps(b.0, a.0, _mm256_cmp_ps::<_CMP_GT_OQ>(x.0, zero)),
                _mm256_blendv_ps(b.1, a.1, _mm256_cmp_ps::<_CMP_GT_OQ>(x.1, zero)),
            )
        }
    }
    #[inline(always)]
    unsafe fn div(a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe { (_mm256_div_ps(a.0, b.0), _mm256_div_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn sqrt(x: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe { (_mm256_sqrt_ps(x.0), _mm256_sqrt_ps(x.1)) }
    }
    #[inline(always)]
    unsafe fn if_less(x: Pair, y: Pair, a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe {
            (
                _mm256_blendv_ps(b.0, a.0, _mm256_cmp_ps::<_CMP_LT_OQ>(x.0, y.0)),
                _mm256_blendv_ps(b.1, a.1, _mm256_cmp_ps::<_CMP_LT_OQ>(x.1, y.1)),
            )
        }
    }
    #[inline(always)]
    unsafe fn if_at_most(x: Pair, y: Pair, a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe {
            (
                _mm256_blendv_ps(b.0, a.0, _mm256_cmp_ps::<_CMP_LE_OQ>(x.0, y.0)),
                _mm256_blendv_ps(b.1, a.1, _mm256_cmp_ps::<_CMP_LE_OQ>(x.1, y.1)),
            )
        }
    }
    #[inline(always)]
    unsafe fn if_equal(x: Pair, y: Pair, a: Pair, b: Pair) -> Pair {
        // SAFETY: the instructions are there.
        unsafe {
            (
                _mm256_blendv_ps(b.0, a.0, _mm256_cmp_ps::<_CMP_EQ_OQ>(x.0, y.0)),
                _mm256_blendv_ps(b.1, a.1, _mm256_cmp_ps::<_CMP_EQ_OQ>(x.1, y.1)),
            )
        }
    }
}
