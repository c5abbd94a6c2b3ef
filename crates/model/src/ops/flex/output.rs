//! An output that many tasks write, each its own places.

use std::marker::PhantomData;

/// Floats that are not written yet. Clearing them first would be one more pass over memory.
pub(super) struct Output {
    floats: *mut f32,
    len: usize,
    capacity: usize,
    owned: PhantomData<Vec<f32>>,
}

// SAFETY: the only access is through `at`, whose callers promise that no two of them share a place.
unsafe impl Sync for Output {}
// SAFETY: it owns its memory.
unsafe impl Send for Output {}

impl Output {
    /// Room for `len` floats.
    pub fn new(len: usize) -> Self {
        let mut floats = std::mem::ManuallyDrop::new(Vec::with_capacity(len));
        Self {
            floats: floats.as_mut_ptr(),
            len,
            capacity: floats.capacity(),
            owned: PhantomData,
        }
    }

    /// The place to write the floats `start..end` at, or some of them.
    ///
    /// # Safety
    /// No other task writes the places that this one writes.
    ///
    /// # Panics
    /// If they are outside.
    pub unsafe fn at(&self, start: usize, end: usize) -> *mut f32 {
        assert!(start <= end && end <= self.len, "{start}..{end} of {}", self.len);
        // SAFETY: inside the allocation.
        unsafe { self.floats.add(start) }
    }

    /// The floats.
    ///
    /// # Safety
    /// All of them are written.
    pub unsafe fn finish(self) -> Vec<f32> {
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: these are the parts of a vector, and its floats are written.
        unsafe { Vec::from_raw_parts(this.floats, this.len, this.capacity) }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: these are the parts of a vector; without a length it only frees its memory.
        drop(unsafe { Vec::from_raw_parts(self.floats, 0, self.capacity) });
    }
}
