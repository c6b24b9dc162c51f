//! Splitting a buffer among threads.

use super::kernels::{Pool, Shared};

/// Runs `job(index, piece)` on every piece of `size` elements of y.
pub fn pieces(pool: &Pool, y: &mut [f32], size: usize, job: impl Fn(usize, &mut [f32]) + Sync) {
    let count = y.len() / size.max(1);
    let y = Shared::new(y);
    pool.parts(count, |_, part| {
        // SAFETY: a part's own piece.
        job(part, unsafe { y.range(part * size, size) });
    });
}
