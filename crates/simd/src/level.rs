//! The instruction sets that kernels are compiled for, and the selection of one at run time.

use std::cell::Cell;
use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

/// Which instructions a kernel may use; levels are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The target's baseline; explicit vectors hold one float.
    Baseline,
    /// AVX2 with FMA at most; the baseline on CPUs without.
    Avx2,
    /// The best that this CPU supports: AVX-512, AVX2 with FMA, or the baseline on x86-64; NEON on ARM64.
    #[default]
    Best,
}

thread_local! {
    static CURRENT: Cell<Level> = const { Cell::new(Level::Best) };
}

impl Level {
    /// Every level, for tests that compare them.
    pub const ALL: [Self; 3] = [Self::Baseline, Self::Avx2, Self::Best];

    /// Runs `kernel` compiled for this level. Plain functions without arguments ([`NullaryFnOnce`](crate::NullaryFnOnce)) are
    /// kernels, too.
    #[inline]
    pub fn run<K: WithSimd>(self, kernel: K) -> K::Output {
        self.arch().dispatch(kernel)
    }

    /// Floats per vector at this level.
    pub fn lanes(self) -> usize {
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

    /// The level of this thread: [`Level::Best`] outside of [`scope`](Self::scope). Functions in
    /// [`vectorised!`](crate::vectorised) run at it; other kernels run at the level that they are passed.
    #[inline]
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Runs `work` with this level as the thread's [`current`](Self::current) one. Other threads, to which `work` may hand tasks, keep
    /// theirs.
    pub fn scope<R>(self, work: impl FnOnce() -> R) -> R {
        struct Restore(Level);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _restore = Restore(CURRENT.replace(self));
        work()
    }

    #[inline]
    fn arch(self) -> Arch {
        // Detection queries each feature of a set; the results are cached.
        static ARCHS: OnceLock<[Arch; 3]> = OnceLock::new();
        ARCHS.get_or_init(|| Self::ALL.map(Self::detect))[self as usize]
    }

    fn detect(self) -> Arch {
        match self {
            // Miri has no `cpuid`.
            Self::Best if cfg!(not(miri)) => Arch::new(),
            #[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), not(miri)))]
            Self::Avx2 => pulp::x86::V3::try_new().map_or(Arch::Scalar, Arch::V3),
            _ => Arch::Scalar,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_those_of_the_instruction_set() {
        assert_eq!(Level::Baseline.lanes(), 1);
        assert!([1, 8].contains(&Level::Avx2.lanes()));
        assert!(Level::Avx2.lanes() <= Level::Best.lanes());
        assert!(Level::ALL.is_sorted());
        assert_eq!(Level::Best.min(Level::Avx2), Level::Avx2);
    }

    #[test]
    fn a_scope_ends_with_its_work_even_by_a_panic() {
        assert_eq!(Level::current(), Level::Best);
        Level::Avx2.scope(|| {
            Level::Baseline.scope(|| assert_eq!(Level::current(), Level::Baseline));
            assert_eq!(Level::current(), Level::Avx2);
            std::thread::spawn(|| assert_eq!(Level::current(), Level::Best))
                .join()
                .unwrap();
        });
        let panicked = std::panic::catch_unwind(|| Level::Baseline.scope(|| panic!("ends the scope")));
        assert!(panicked.is_err());
        assert_eq!(Level::current(), Level::Best);
    }

    /// Rounds the product before the sum, in 16 independent sums at any level.
    struct Dot<'a>(&'a [f32], &'a [f32]);

    impl WithSimd for Dot<'_> {
        type Output = f32;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            let mut lanes = [0.0; 16];
            let (sums, _) = S::as_mut_simd_f32s(&mut lanes);
            let (a, b) = (S::as_simd_f32s(self.0).0, S::as_simd_f32s(self.1).0);
            let sums_per_round = sums.len();
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                let sum = &mut sums[i % sums_per_round];
                *sum = simd.add_f32s(*sum, simd.mul_f32s(*a, *b));
            }
            lanes.iter().sum()
        }
    }

    #[test]
    fn a_kernel_gives_the_same_bytes_at_every_level() {
        let [a, b] = [1, 2].map(|seed| {
            (0..160)
                .map(|i| ((i * 7 + seed) as f32 * 0.1).sin())
                .collect::<Vec<_>>()
        });
        let sums = Level::ALL.map(|level| level.run(Dot(&a, &b)).to_bits());
        assert_eq!(sums, [sums[0]; 3]);
    }
}
