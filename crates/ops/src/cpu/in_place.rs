//! Output buffers that are written once: in place of an operand with no other reference, or in newly allocated memory.
//!
//! A batch of feature maps is larger than the caches, so zeroing an output first is one more pass over memory, and page faults of
//! new memory cost about as much again. The kernels write through the pointers that this module provides (`norm/flex/map.rs`).

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use barlow_simd::prefetch;

/// A part of an output, and the part of the operand that it is computed from.
pub(crate) enum InPlaceOrFresh<'a> {
    /// The output replaces the operand.
    InPlace(&'a mut [f32]),
    /// Uninitialised output and a separate operand of the same length.
    Fresh(&'a mut [MaybeUninit<f32>], &'a [f32]),
}

impl<'a> InPlaceOrFresh<'a> {
    /// The operand's values.
    #[inline(always)]
    pub(crate) fn operand(&self) -> &[f32] {
        match self {
            Self::InPlace(floats) => floats,
            Self::Fresh(_, from) => from,
        }
    }

    /// Pointers to the output and to the operand, and the number of floats; the caller must write all of them.
    #[inline(always)]
    pub(crate) fn pointers(&mut self) -> (*mut f32, *const f32, usize) {
        match self {
            Self::InPlace(floats) => {
                let pointer = floats.as_mut_ptr();
                (pointer, pointer, floats.len())
            }
            Self::Fresh(to, from) => {
                assert_eq!(to.len(), from.len(), "an output and its operand differ in length");
                (to.as_mut_ptr().cast(), from.as_ptr(), from.len())
            }
        }
    }

    /// Splits into parts of `len` floats; the last one may be shorter.
    ///
    /// # Panics
    /// If `len` is 0.
    pub(crate) fn chunks(self, len: usize) -> Box<dyn Iterator<Item = InPlaceOrFresh<'a>> + 'a> {
        match self {
            Self::InPlace(floats) => Box::new(floats.chunks_mut(len).map(InPlaceOrFresh::InPlace)),
            Self::Fresh(to, from) => {
                let pairs = to.chunks_mut(len).zip(from.chunks(len));
                Box::new(pairs.map(|(to, from)| InPlaceOrFresh::Fresh(to, from)))
            }
        }
    }
}

/// The channels of one task: the same run of floats in every image. Accessing one image prefetches the run of the next.
///
/// Not a list of [`InPlaceOrFresh`], because a task has hundreds of them, and all lists would be built before the first task
/// starts.
pub(crate) struct ChannelRuns<'a> {
    to: *mut f32,
    /// Equal to `to` if the output replaces the operand.
    from: *const f32,
    /// Floats per image.
    step: usize,
    /// Floats per run.
    len: usize,
    images: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: like a mutable slice, it has exclusive access to its runs.
unsafe impl Send for ChannelRuns<'_> {}

impl<'a> InPlaceOrFresh<'a> {
    /// Splits images of `step` floats into runs of `len` floats (the last one may be shorter): one item for each run of an image.
    ///
    /// # Panics
    /// If the number of floats is not a multiple of `step`, or if `step` or `len` is 0.
    pub(crate) fn runs(mut self, step: usize, len: usize) -> Vec<ChannelRuns<'a>> {
        let (to, from, floats) = self.pointers();
        assert!(floats % step == 0, "{floats} floats are not whole images of {step}");
        let run = |start: usize| ChannelRuns {
            to: to.wrapping_add(start),
            from: from.wrapping_add(start),
            step,
            len: len.min(step - start),
            images: floats / step,
            borrowed: PhantomData,
        };
        (0..step).step_by(len).map(run).collect()
    }
}

impl<'a> ChannelRuns<'a> {
    /// The run of an image.
    ///
    /// # Panics
    /// If there is no such image.
    #[inline(always)]
    pub(crate) fn part(&mut self, image: usize) -> InPlaceOrFresh<'_> {
        let (to, from) = self.at(image);
        // SAFETY: inside the memory that was split; runs do not overlap, and `self` is borrowed for as long as the part is used.
        unsafe {
            if std::ptr::eq(to, from) {
                InPlaceOrFresh::InPlace(std::slice::from_raw_parts_mut(to, self.len))
            } else {
                let to = std::slice::from_raw_parts_mut(to.cast(), self.len);
                InPlaceOrFresh::Fresh(to, std::slice::from_raw_parts(from, self.len))
            }
        }
    }

    /// The operand's values in the run of an image.
    ///
    /// # Panics
    /// If there is no such image.
    #[inline(always)]
    pub(crate) fn operand(&self, image: usize) -> &[f32] {
        let (_, from) = self.at(image);
        // SAFETY: same as in `part`.
        unsafe { std::slice::from_raw_parts(from, self.len) }
    }

    /// The same runs with the output as the operand, to be processed in place.
    ///
    /// # Safety
    /// Every float of every image must have been written.
    pub(crate) unsafe fn written(self) -> Self {
        Self { from: self.to, ..self }
    }

    #[inline(always)]
    fn at(&self, image: usize) -> (*mut f32, *const f32) {
        assert!(image < self.images, "image {image} of {}", self.images);
        let start = image * self.step;
        prefetch(self.from.wrapping_add(start + self.step), self.len);
        (self.to.wrapping_add(start), self.from.wrapping_add(start))
    }
}
