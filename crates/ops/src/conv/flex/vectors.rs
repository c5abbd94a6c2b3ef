//! Loads and stores of SIMD vectors through pointers.

use barlow_simd::Simd;

/// # Safety
/// `from` must be valid for reading a vector of floats.
#[inline(always)]
pub(super) unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // SAFETY: guaranteed by the caller.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// # Safety
/// `to` must be valid for writing a vector of floats.
#[inline(always)]
pub(super) unsafe fn store<S: Simd>(to: *mut f32, value: S::f32s) {
    // SAFETY: guaranteed by the caller.
    unsafe { to.cast::<S::f32s>().write_unaligned(value) }
}
