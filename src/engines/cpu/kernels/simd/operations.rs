//! The operations that an instruction set has.

/// Operations on vectors of sixteen floats, by one instruction set.
///
/// # Safety
/// S is present: a method may only run on a processor that has the instruction set.
/// Pointers must be good for sixteen floats, of any alignment.
pub trait Simd: Copy {
    /// Sixteen floats.
    type V: Copy;
    /// Number of vectors that fit into the registers as sums, beside the operands of a
    /// product.
    const ROWS: usize;
    /// Whether twice as many sums fit, for two vectors a row.
    const PAIR: bool;

    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, x: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// Computes `a·b + c`, rounded once where the instruction set can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Takes the larger, or `b` if either is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// Takes the smaller, or `b` if either is NaN.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// Computes `1/x` of finite numbers, to a unit in the last place.
    unsafe fn reciprocal(x: Self::V) -> Self::V;
    /// Computes `a/b`.
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// Computes √x.
    unsafe fn sqrt(x: Self::V) -> Self::V;
    /// Selects `a` where `x > 0`, else `b`.
    unsafe fn if_positive(x: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Selects `a` where `x < y`, else `b`.
    unsafe fn if_less(x: Self::V, y: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Selects `a` where `x ≤ y`, else `b`.
    unsafe fn if_at_most(x: Self::V, y: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Selects `a` where `x = y`, else `b`.
    unsafe fn if_equal(x: Self::V, y: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Sums each of sixteen vectors.
    #[inline(always)]
    unsafe fn sums(rows: [Self::V; 16]) -> Self::V {
        let mut square = [[0.0f32; 16]; 16];
        // SAFETY: rows and columns of the square.
        unsafe {
            for (to, row) in square.iter_mut().zip(rows) {
                Self::store(to.as_mut_ptr(), row);
            }
            let from = square;
            Self::transpose(from.as_ptr().cast(), 16, square.as_mut_ptr().cast(), 16);
            let mut sum = Self::splat(0.0);
            for lane in &square {
                sum = Self::add(sum, Self::load(lane.as_ptr()));
            }
            sum
        }
    }
    /// Transposes 16×16 floats; `from_stride` and `to_stride` are the distances between rows.
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for row in 0..16 {
            for column in 0..16 {
                // SAFETY: the caller's pointers hold sixteen rows of sixteen floats.
                unsafe {
                    *to.add(column * to_stride + row) = *from.add(row * from_stride + column);
                }
            }
        }
    }
}
