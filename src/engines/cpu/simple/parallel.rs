//! Splitting work among threads.

use rayon::prelude::*;
use std::marker::PhantomData;

/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Runs `job` once for every part of `0..parts`, on all threads.
pub fn parts(parts: usize, job: impl Fn(usize) + Sync + Send) {
    (0..parts).into_par_iter().for_each(job);
}

/// `job(y, a, b)` on every element.
pub fn zip(y: &mut [f32], (a, b): (&[f32], &[f32]), job: impl Fn(&mut f32, f32, f32) + Sync) {
    let chunks = y.par_chunks_mut(CHUNK);
    let operands = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK));
    chunks.zip(operands).for_each(|(y, (a, b))| {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            job(y, a, b);
        }
    });
}

/// A slice that several threads write, each its own elements.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    start: *mut f32,
    len: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: a `&mut [f32]` in all but the proof of disjointness, which users give.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub fn new(slice: &'a mut [f32]) -> Self {
        Shared {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            lifetime: PhantomData,
        }
    }

    /// `len` floats from `from`.
    ///
    /// # Safety
    /// No other thread touches the range while the result lives.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn range(&self, from: usize, len: usize) -> &'a mut [f32] {
        assert!(from <= self.len && len <= self.len - from);
        // SAFETY: within the slice by the assertion, unaliased by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}
