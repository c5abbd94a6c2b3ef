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

#[cfg(test)]
fn avx2<K: WithSimd>(kernel: K) -> K::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(level) = pulp::x86::V3::try_new() {
        return Simd::vectorize(level, kernel);
    }
    kernel.with_simd(pulp::Scalar)
}
