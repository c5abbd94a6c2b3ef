//! Loops compiled for the vector instructions of the machine they meet.
//!
//! Why: the program is built for the oldest x86-64, whose vectors hold four floats. A kernel is a struct of operands whose
//! `call` is compiled once for each instruction set; the best is taken at run time. Whatever `call` calls in its loops
//! must be `#[inline(always)]`, anything else would be compiled for the baseline. Kernels are plain Rust, nothing is contracted or
//! reordered, so results are equal to the bit whichever was taken.

use pulp::NullaryFnOnce;

/// Which instructions the kernels may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Level {
    /// The best that the machine has.
    Best,
    /// AVX2 at most; the baseline on a machine without.
    #[cfg(test)]
    Avx2,
    /// Those of the oldest machine.
    #[cfg(test)]
    Baseline,
}

impl Level {
    /// Calls the kernel compiled for this level.
    #[inline]
    pub(in crate::ops) fn run<K: NullaryFnOnce>(self, kernel: K) -> K::Output {
        match self {
            Self::Best => pulp::Arch::new().dispatch(kernel),
            #[cfg(test)]
            Self::Avx2 => avx2(kernel),
            #[cfg(test)]
            Self::Baseline => kernel.call(),
        }
    }
}

#[cfg(test)]
fn avx2<K: NullaryFnOnce>(kernel: K) -> K::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(level) = pulp::x86::V3::try_new() {
        struct Call<K>(K);
        impl<K: NullaryFnOnce> pulp::WithSimd for Call<K> {
            type Output = K::Output;

            #[inline(always)]
            fn with_simd<S: pulp::Simd>(self, _: S) -> K::Output {
                self.0.call()
            }
        }
        return pulp::Simd::vectorize(level, Call(kernel));
    }
    kernel.call()
}
