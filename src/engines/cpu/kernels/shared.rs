//! A mutable slice that several threads write disjoint parts of.

use std::marker::PhantomData;

/// A mutable slice whose parts are divided among the threads of a [`super::Pool`] run.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    start: *mut f32,
    len: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a `&mut [f32]` in all but the compiler's proof of disjointness, which
// the users of `range` give.
unsafe impl Send for Shared<'_> {}
// SAFETY: `range` gives parts that the callers promise to be disjoint, so threads that
// share it never use one float at a time.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub fn new(slice: &'a mut [f32]) -> Self {
        Shared {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            lifetime: PhantomData,
        }
    }

    /// Pointer to the start of the slice.
    pub fn start(&self) -> *mut f32 {
        self.start
    }

    /// Mutable part of the slice: `len` floats from `from` on.
    ///
    /// # Safety
    /// No other reference to the range is used while the result lives.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn range(&self, from: usize, len: usize) -> &'a mut [f32] {
        assert!(from <= self.len && len <= self.len - from);
        // SAFETY: within the slice by the assertion, unaliased by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}
