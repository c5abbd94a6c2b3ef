//! Partition of a row into SIMD vectors: whole ones and the remainder.

use barlow_simd::Simd;

/// The floats of one SIMD vector in a slice, or fewer at its end.
#[derive(Clone, Copy)]
pub(super) struct Part<S> {
    pub(super) simd: S,
    start: usize,
    len: usize,
}

/// The parts of a slice of `len` floats.
#[inline(always)]
pub(super) fn parts<S: Simd>(simd: S, len: usize) -> impl Iterator<Item = Part<S>> {
    wholes(simd, len).chain(rest(simd, len))
}

/// The whole vectors of a slice of `len` floats.
#[inline(always)]
pub(super) fn wholes<S: Simd>(simd: S, len: usize) -> impl Iterator<Item = Part<S>> {
    (0..len / S::F32_LANES).map(move |index| Part {
        simd,
        start: index * S::F32_LANES,
        len: S::F32_LANES,
    })
}

/// The remainder after the whole vectors; `None` if there is none.
#[inline(always)]
pub(super) fn rest<S: Simd>(simd: S, len: usize) -> Option<Part<S>> {
    let left = len % S::F32_LANES;
    (left > 0).then_some(Part {
        simd,
        start: len - left,
        len: left,
    })
}

impl<S: Simd> Part<S> {
    /// Loads the floats; missing ones are zero.
    #[inline(always)]
    pub(super) fn load(self, floats: &[f32]) -> S::f32s {
        let floats = &floats[self.start..][..self.len];
        match S::as_simd_f32s(floats).0 {
            [whole] => *whole,
            _ => self.simd.partial_load_f32s(floats),
        }
    }

    #[inline(always)]
    pub(super) fn store(self, floats: &mut [f32], values: S::f32s) {
        let floats = &mut floats[self.start..][..self.len];
        match S::as_mut_simd_f32s(floats).0 {
            [whole] => *whole = values,
            _ => self.simd.partial_store_f32s(floats, values),
        }
    }

    /// [`Part::load`] from the slice that begins at `floats`.
    ///
    /// # Safety
    /// The slice must be as long as the one that the part was taken from.
    #[inline(always)]
    pub(super) unsafe fn load_at(self, floats: *const f32) -> S::f32s {
        // SAFETY: guaranteed by the caller.
        let floats = unsafe { std::slice::from_raw_parts(floats.add(self.start), self.len) };
        match S::as_simd_f32s(floats).0 {
            [whole] => *whole,
            _ => self.simd.partial_load_f32s(floats),
        }
    }

    /// [`Part::store`] to the slice that begins at `floats`, which may be uninitialised.
    ///
    /// # Safety
    /// The slice must be as long as the one that the part was taken from, and nothing else may access it during the call.
    #[inline(always)]
    pub(super) unsafe fn store_at(self, floats: *mut f32, values: S::f32s) {
        // SAFETY: guaranteed by the caller; a vector of floats has the alignment of a float.
        unsafe {
            let floats = floats.add(self.start);
            if self.len == S::F32_LANES {
                floats.cast::<S::f32s>().write(values);
            } else {
                let values = (&raw const values).cast::<f32>();
                std::ptr::copy_nonoverlapping(values, floats, self.len);
            }
        }
    }
}
