//! Plain loops compiled once more for the wider vectors that most x86-64 processors have.

/// Runs `work`, with 256-bit vectors where the processor has them. What `work` calls must be inlined into it to gain by that.
/// No product and sum are contracted, so the numbers are the same either way.
#[inline(always)]
pub(super) fn wide<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { avx2(work) };
        }
    }
    work()
}
