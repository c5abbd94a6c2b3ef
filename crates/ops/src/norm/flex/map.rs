//! Elementwise map: applies a formula to every value of a few channels of one image, in one pass.

use barlow_simd::Simd;

use super::formula::{Formula, loaded, splat};
use super::part::{Part, rest, wholes};
use crate::cpu::in_place::InPlaceOrFresh;

/// Writes F::of(simd, p, a, b), where a is the operand of `out`, b is the float at the same index of `other` (b = a if `other` is
/// `None`) and p are the channel's values in `params`. Returns the written values.
///
/// # Panics
/// If `other` is too short.
#[inline(always)]
pub(super) fn map<'a, S: Simd, const P: usize, F: Formula<S, P, S::f32s>>(
    simd: S,
    mut out: InPlaceOrFresh<'a>,
    pixels: usize,
    params: [&[f32]; P],
    other: Option<&[f32]>,
    _: F,
) -> &'a mut [f32] {
    let (to, a, len) = out.pointers();
    assert!(len % pixels == 0, "{len} floats are not whole rows of {pixels}");
    let b = other.map_or(a, |other| other[..len].as_ptr());
    let pointers = MapPointers { to, a, b };
    // SAFETY: parts and rows are inside the `len` floats and together cover all of them.
    unsafe {
        if pixels == 1 {
            for part in wholes(simd, len) {
                pointers.write::<S, P, F>(part, loaded(part, params));
            }
            if let Some(part) = rest(simd, len) {
                pointers.write::<S, P, F>(part, loaded(part, params));
            }
        } else {
            for c in 0..len / pixels {
                let p = splat(simd, params, c);
                let row = pointers.at(c * pixels);
                for part in wholes(simd, pixels) {
                    row.write::<S, P, F>(part, p);
                }
                if let Some(part) = rest(simd, pixels) {
                    row.write::<S, P, F>(part, p);
                }
            }
        }
        std::slice::from_raw_parts_mut(to, len)
    }
}

/// Pointers to a result and its operands, which may be the same memory.
#[derive(Clone, Copy)]
struct MapPointers {
    to: *mut f32,
    a: *const f32,
    b: *const f32,
}

impl MapPointers {
    /// # Safety
    /// `start` must be in bounds.
    #[inline(always)]
    unsafe fn at(self, start: usize) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe {
            Self {
                to: self.to.add(start),
                a: self.a.add(start),
                b: self.b.add(start),
            }
        }
    }

    /// # Safety
    /// `part` must be in bounds.
    #[inline(always)]
    unsafe fn write<S: Simd, const P: usize, F: Formula<S, P, S::f32s>>(self, part: Part<S>, p: [S::f32s; P]) {
        // SAFETY: guaranteed by the caller. Both operands are read before the result is written.
        unsafe {
            let a = part.load_at(self.a);
            let b = part.load_at(self.b);
            part.store_at(self.to, F::of(part.simd, p, a, b));
        }
    }
}
