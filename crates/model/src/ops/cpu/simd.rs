//! Loops compiled for the vector instructions of the machine they meet.
//!
//! Why: the program is built for the oldest x86-64, whose vectors hold four floats. A kernel is a struct of operands whose
//! `with_simd` is compiled once for each instruction set; the best is taken at run time. Whatever that calls in its loops
//! must be `#[inline(always)]`, anything else would be compiled for the baseline.

use pulp::{Simd, WithSimd};

/// Which instructions the kernels may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Level {
    /// The best that the machine has.
    Best,
    /// AVX2 at most; the baseline on a machine without.
    #[cfg(test)]
    Avx2,
    /// Those of the oldest machine, one value at a time.
    #[cfg(test)]
    Baseline,
}

impl Level {
    /// Calls the kernel compiled for this level.
    #[inline]
    pub(in crate::ops) fn run<K: WithSimd>(self, kernel: K) -> K::Output {
        match self {
            Self::Best => pulp::Arch::new().dispatch(kernel),
            #[cfg(test)]
            Self::Avx2 => avx2(kernel),
            #[cfg(test)]
            Self::Baseline => kernel.with_simd(pulp::Scalar),
        }
    }

    /// Floats in a vector of this level.
    pub(in crate::ops) fn lanes(self) -> usize {
        struct Lanes;
        impl WithSimd for Lanes {
            type Output = usize;

            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        self.run(Lanes)
    }
}

/// Bytes that a cache fetches at once.
const LINE: usize = 64;
/// Floats that are sent for at most: behind them the processor sees by itself how it goes on.
const PREFETCHED: usize = 256;

/// Tells the processor that the `len` floats from `start` on are read soon; they need not exist.
///
/// Why: it foresees reads that go on side by side, not the jump to the same channels of the next image.
#[inline(always)]
pub(in crate::ops) fn prefetch(start: *const f32, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len.min(PREFETCHED) * size_of::<f32>()).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint reads nothing, and every x86-64 has the instruction.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, len);
}

#[cfg(test)]
fn avx2<K: WithSimd>(kernel: K) -> K::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(level) = pulp::x86::V3::try_new() {
        return Simd::vectorize(level, kernel);
    }
    kernel.with_simd(pulp::Scalar)
}
