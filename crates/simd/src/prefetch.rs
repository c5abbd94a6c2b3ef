//! Software prefetch.

/// Bytes in a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;
/// Floats to request at most: beyond them the hardware prefetcher has recognised the sequence.
#[cfg(target_arch = "x86_64")]
const MOST_FLOATS: usize = 256;

/// Requests the `len` floats from `start` on, which will soon be read, into the cache. Only a hint: the memory need not exist.
///
/// For jumps that the hardware prefetcher does not foresee, such as to the same channels of the next image.
#[inline(always)]
pub fn prefetch(start: *const f32, len: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in (0..len.min(MOST_FLOATS) * size_of::<f32>()).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint reads nothing, and every x86-64 CPU has the instruction.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (start, len);
}
