//! Outputs that are written once: over an operand that nobody else holds, or into fresh memory.
//!
//! A batch of maps is larger than the caches, so filling an output with zeros first is one more pass over memory, and fresh
//! pages cost about as much again. The passes themselves write through pointers (`norm/flex/map.rs`, `part.rs`) into
//! what is handed out here.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use burn::tensor::{Shape, TensorData, TensorMetadata};
use burn_flex::FlexTensor;

use super::simd::prefetch;

/// A part of an output that is to be made of an operand.
pub(in crate::ops) enum Piece<'a> {
    /// The operand's own memory.
    Owned(&'a mut [f32]),
    /// Fresh memory, and the operand elsewhere; equally long.
    Fresh(&'a mut [MaybeUninit<f32>], &'a [f32]),
}

impl<'a> Piece<'a> {
    /// The operand's values.
    #[inline(always)]
    pub(in crate::ops) fn operand(&self) -> &[f32] {
        match self {
            Self::Owned(floats) => floats,
            Self::Fresh(_, from) => from,
        }
    }

    /// Where the output's floats go, where the operand's are, and how many; all of them are to be written.
    #[inline(always)]
    pub(in crate::ops) fn places(&mut self) -> (*mut f32, *const f32, usize) {
        match self {
            Self::Owned(floats) => {
                let place = floats.as_mut_ptr();
                (place, place, floats.len())
            }
            Self::Fresh(to, from) => {
                assert_eq!(to.len(), from.len(), "an output and its operand differ in length");
                (to.as_mut_ptr().cast(), from.as_ptr(), from.len())
            }
        }
    }

    /// Cuts into pieces of `len` floats, the last one shorter if they do not come out even.
    ///
    /// # Panics
    /// If `len` is 0.
    pub(in crate::ops) fn chunks(self, len: usize) -> Box<dyn Iterator<Item = Piece<'a>> + 'a> {
        match self {
            Self::Owned(floats) => Box::new(floats.chunks_mut(len).map(Piece::Owned)),
            Self::Fresh(to, from) => {
                let pairs = to.chunks_mut(len).zip(from.chunks(len));
                Box::new(pairs.map(|(to, from)| Piece::Fresh(to, from)))
            }
        }
    }
}

/// The same run of floats of every image: what one task makes of an operand. Whoever asks for one has the next image's fetched.
///
/// Why not a list of pieces: a task has hundreds, and they would all be listed before the first task begins.
pub(in crate::ops) struct Runs<'a> {
    to: *mut f32,
    /// `to`, if the operand's own memory is written.
    from: *const f32,
    /// Floats of an image.
    step: usize,
    /// Floats of a run.
    len: usize,
    images: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: as a piece, it has its places for itself.
unsafe impl Send for Runs<'_> {}

impl<'a> Piece<'a> {
    /// Cuts images of `step` floats into runs of `len` floats, the last one shorter if they do not come out even; one item
    /// for each run of an image.
    ///
    /// # Panics
    /// If there are not whole images, or one of the lengths is 0.
    pub(in crate::ops) fn runs(mut self, step: usize, len: usize) -> Vec<Runs<'a>> {
        let (to, from, floats) = self.places();
        assert!(floats % step == 0, "{floats} floats are no images of {step}");
        let run = |start: usize| Runs {
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

impl<'a> Runs<'a> {
    /// The run of an image.
    ///
    /// # Panics
    /// If there is no such image.
    #[inline(always)]
    pub(in crate::ops) fn piece(&mut self, image: usize) -> Piece<'_> {
        let (to, from) = self.at(image);
        // SAFETY: inside the memory that was cut, no two runs share a place, and `self` is borrowed as long as the piece is.
        unsafe {
            if std::ptr::eq(to, from) {
                Piece::Owned(std::slice::from_raw_parts_mut(to, self.len))
            } else {
                let to = std::slice::from_raw_parts_mut(to.cast(), self.len);
                Piece::Fresh(to, std::slice::from_raw_parts(from, self.len))
            }
        }
    }

    /// The operand's values in the run of an image.
    ///
    /// # Panics
    /// If there is no such image.
    #[inline(always)]
    pub(in crate::ops) fn operand(&self, image: usize) -> &[f32] {
        let (_, from) = self.at(image);
        // SAFETY: as in `piece`.
        unsafe { std::slice::from_raw_parts(from, self.len) }
    }

    /// The same runs, with what was written as the operand.
    ///
    /// # Safety
    /// Every float of every image was written.
    pub(in crate::ops) unsafe fn written(self) -> Self {
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

/// The tensor that `work` makes of an f32 operand, in the operand's memory if nobody else holds it; and what `work` returns.
///
/// # Safety
/// `work` must write every float of its piece ([`Piece::places`]).
pub(in crate::ops) unsafe fn rewritten<R>(operand: FlexTensor, work: impl FnOnce(Piece<'_>) -> R) -> (FlexTensor, R) {
    let mut operand = contiguous(operand);
    if operand.is_unique()
        && let Some(floats) = operand.try_storage_mut()
    {
        let result = work(Piece::Owned(floats));
        return (operand, result);
    }
    let from: &[f32] = operand.storage();
    let mut result = None;
    let write = |to: &mut [MaybeUninit<f32>]| result = Some(work(Piece::Fresh(to, from)));
    // SAFETY: `work` writes all, as the caller has promised.
    let floats = unsafe { written(from.len(), write) };
    let result = result.expect("`written` calls its argument");
    (tensor(floats, operand.shape()), result)
}

/// A vector of `len` values that `write` writes.
///
/// # Safety
/// `write` must initialise every value.
pub(in crate::ops) unsafe fn written<T: Copy>(len: usize, write: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    write(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len`, and the first `len` values are initialised, as the caller has promised.
    unsafe { values.set_len(len) };
    values
}

/// Contiguous, from the first float of its memory to the last; nothing is copied if it is so already.
pub(in crate::ops) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// A contiguous tensor of these values.
pub(in crate::ops) fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubled(operand: FlexTensor) -> FlexTensor {
        let double = |piece: Piece<'_>| {
            for mut piece in piece.chunks(3) {
                let (to, from, len) = piece.places();
                // SAFETY: both are valid for `len` floats.
                (0..len).for_each(|i| unsafe { to.add(i).write(2.0 * from.add(i).read()) });
            }
        };
        // SAFETY: every piece is written.
        unsafe { rewritten(operand, double) }.0
    }

    fn values(tensor: &FlexTensor) -> Vec<f32> {
        tensor.clone().into_data().to_vec().unwrap()
    }

    #[test]
    fn an_operand_is_overwritten_only_if_nobody_else_holds_it() {
        let operand = tensor(vec![1.0, 2.0, 3.0, 4.0], [2, 2].into());
        let kept = operand.clone();
        let shared = doubled(operand);
        assert_eq!(values(&shared), [2.0, 4.0, 6.0, 8.0]);
        assert_eq!(values(&kept), [1.0, 2.0, 3.0, 4.0]);
        let place = shared.bytes().as_ptr();
        let again = doubled(shared);
        assert_eq!(values(&again), [4.0, 8.0, 12.0, 16.0]);
        assert_eq!(again.bytes().as_ptr(), place);
    }

    #[test]
    fn a_view_is_made_contiguous_first() {
        let whole = tensor((0..6).map(|i| i as f32).collect(), [2, 3].into());
        let transposed = doubled(whole.clone().transpose(0, 1));
        assert_eq!(values(&transposed), [0.0, 6.0, 2.0, 8.0, 4.0, 10.0]);
        let row = doubled(whole.clone().narrow(0, 1, 1));
        assert_eq!(values(&row), [6.0, 8.0, 10.0]);
        assert_eq!(values(&whole), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}
