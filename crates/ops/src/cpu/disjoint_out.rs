//! Output buffer that many tasks write in parallel, each its own part.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Floats that are borrowed for writing, initialised or not.
#[derive(Clone, Copy)]
pub(crate) struct DisjointOut<'a> {
    floats: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only access is through `at`, whose callers guarantee that no two of them access the same floats.
unsafe impl Sync for DisjointOut<'_> {}
// SAFETY: same as for `Sync`.
unsafe impl Send for DisjointOut<'_> {}

impl<'a> DisjointOut<'a> {
    /// Wraps uninitialised floats, which the tasks initialise.
    pub(crate) fn fresh(floats: &'a mut [MaybeUninit<f32>]) -> Self {
        Self {
            len: floats.len(),
            floats: floats.as_mut_ptr().cast(),
            borrowed: PhantomData,
        }
    }

    /// Wraps initialised floats.
    pub(crate) fn of(floats: &'a mut [f32]) -> Self {
        Self {
            len: floats.len(),
            floats: floats.as_mut_ptr(),
            borrowed: PhantomData,
        }
    }

    /// A pointer to the floats `start..end`, of which the caller may read or write all or some.
    ///
    /// # Safety
    /// No other task may write the floats of this range that the caller uses, for as long as the caller uses them.
    ///
    /// # Panics
    /// If the range is out of bounds.
    pub(crate) unsafe fn at(self, start: usize, end: usize) -> *mut f32 {
        assert!(start <= end && end <= self.len, "{start}..{end} of {}", self.len);
        // SAFETY: in bounds of the slice (asserted).
        unsafe { self.floats.add(start) }
    }
}
