//! An output that many tasks write, each its own part.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Floats that are borrowed for writing, initialised or not.
#[derive(Clone, Copy)]
pub(crate) struct DisjointOut<'a> {
    floats: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only access is through `at`, whose callers promise that no two of them use the same floats.
unsafe impl Sync for DisjointOut<'_> {}
// SAFETY: as above.
unsafe impl Send for DisjointOut<'_> {}

impl<'a> DisjointOut<'a> {
    /// Floats that the tasks initialise.
    pub(crate) fn fresh(floats: &'a mut [MaybeUninit<f32>]) -> Self {
        Self {
            len: floats.len(),
            floats: floats.as_mut_ptr().cast(),
            borrowed: PhantomData,
        }
    }

    /// Floats that are initialised already.
    pub(crate) fn of(floats: &'a mut [f32]) -> Self {
        Self {
            len: floats.len(),
            floats: floats.as_mut_ptr(),
            borrowed: PhantomData,
        }
    }

    /// A pointer to the floats `start..end`, all or some of which the caller writes or reads.
    ///
    /// # Safety
    /// While the caller uses floats of this range, no other task writes them.
    ///
    /// # Panics
    /// If the range is outside.
    pub(crate) unsafe fn at(self, start: usize, end: usize) -> *mut f32 {
        assert!(start <= end && end <= self.len, "{start}..{end} of {}", self.len);
        // SAFETY: inside the slice.
        unsafe { self.floats.add(start) }
    }
}
