//! Memory that many tasks write, each its own places.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Floats that are borrowed for writing, initialised or not.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Places<'a> {
    floats: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only access is through `at`, whose callers promise that no two of them share a place.
unsafe impl Sync for Places<'_> {}
// SAFETY: as above.
unsafe impl Send for Places<'_> {}

impl<'a> Places<'a> {
    /// Floats to be initialised by the tasks.
    pub(in crate::ops) fn fresh(floats: &'a mut [MaybeUninit<f32>]) -> Self {
        Self {
            len: floats.len(),
            floats: floats.as_mut_ptr().cast(),
            borrowed: PhantomData,
        }
    }

    /// Floats that hold something.
    pub(in crate::ops) fn of(floats: &'a mut [f32]) -> Self {
        Self {
            len: floats.len(),
            floats: floats.as_mut_ptr(),
            borrowed: PhantomData,
        }
    }

    /// Where the floats `start..end` are, or some of which are written or read.
    ///
    /// # Safety
    /// No other task meanwhile writes the places that this one uses.
    ///
    /// # Panics
    /// If they are outside.
    pub(in crate::ops) unsafe fn at(self, start: usize, end: usize) -> *mut f32 {
        assert!(start <= end && end <= self.len, "{start}..{end} of {}", self.len);
        // SAFETY: inside the slice.
        unsafe { self.floats.add(start) }
    }
}
