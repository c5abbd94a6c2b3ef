//! The sizes of the CPU's caches, from which kernels choose their block sizes.
//!
//! Sizes differ between CPUs, so nothing that changes the order of a sum may depend on them.

use std::sync::OnceLock;

/// Used where the CPU does not report its caches: what most CPUs of the last ten years have at least.
const FALLBACK: CacheSizes = CacheSizes {
    l1: 32 << 10,
    l2: 256 << 10,
};

/// Data caches of one core, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSizes {
    /// The first-level data cache.
    pub l1: usize,
    /// The second-level cache.
    pub l2: usize,
}

impl CacheSizes {
    /// The caches of this CPU, queried once.
    pub fn current() -> Self {
        static SIZES: OnceLock<CacheSizes> = OnceLock::new();
        *SIZES.get_or_init(|| Self::query().unwrap_or(FALLBACK))
    }

    /// What `cpuid` reports: leaf 4, or on AMD 0x8000_001D, which lists the caches in the same format.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    fn query() -> Option<Self> {
        use std::arch::x86_64::{__cpuid, __cpuid_count};

        const AMD_CACHES: u32 = 0x8000_001d;
        const AMD_EXTENSIONS: u32 = 0x8000_0001;
        const TOPOLOGY_EXTENSIONS: u32 = 1 << 22;
        #[allow(unused_unsafe, reason = "safe functions from Rust 1.94 on")]
        // SAFETY: every x86-64 CPU has the instruction.
        let leaf = |leaf, index| unsafe { __cpuid_count(leaf, index) };
        #[allow(unused_unsafe, reason = "safe functions from Rust 1.94 on")]
        // SAFETY: as above.
        let [basic, extended] = [0, 0x8000_0000].map(|leaf| unsafe { __cpuid(leaf) }.eax);
        let amd = extended >= AMD_CACHES && leaf(AMD_EXTENSIONS, 0).ecx & TOPOLOGY_EXTENSIONS != 0;
        let caches = match amd {
            true => AMD_CACHES,
            false if basic >= 4 => 4,
            false => return None,
        };
        let (mut l1, mut l2) = (None, None);
        // The list ends with type 0. The limit is for emulators that ignore the index.
        for index in 0..16 {
            let cache = leaf(caches, index);
            let (kind, cache_level) = (cache.eax & 0x1f, cache.eax >> 5 & 7);
            let size = [cache.ebx >> 22, cache.ebx >> 12 & 0x3ff, cache.ebx & 0xfff, cache.ecx]
                .into_iter()
                .try_fold(1usize, |size, factor| size.checked_mul(factor as usize + 1));
            match (kind, cache_level) {
                (0, _) => break,
                // Data or unified.
                (1 | 3, 1) => l1 = l1.or(size),
                (1 | 3, 2) => l2 = l2.or(size),
                _ => {}
            }
        }
        // An emulator may report anything.
        let plausible = |size: &usize| (8 << 10..=64 << 20).contains(size);
        Some(Self {
            l1: l1.filter(plausible).unwrap_or(FALLBACK.l1),
            l2: l2.filter(plausible).unwrap_or(FALLBACK.l2),
        })
    }

    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    fn query() -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_level_is_the_larger_one() {
        let sizes = CacheSizes::current();
        assert!(sizes.l1 >= 8 << 10 && sizes.l2 >= sizes.l1, "{sizes:?}");
        assert_eq!(sizes, CacheSizes::current());
    }

    /// Linux reports the same caches in files.
    #[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
    #[test]
    fn linux_reports_the_same_sizes() {
        let read = |file: String| std::fs::read_to_string(file).ok();
        for index in 0..8 {
            let of = |file: &str| read(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{file}"));
            let (Some(level), Some(kind), Some(size)) = (of("level"), of("type"), of("size")) else {
                continue;
            };
            let Some(Ok(kilobytes)) = size.trim().strip_suffix('K').map(str::parse::<usize>) else {
                continue;
            };
            let ours = match (level.trim(), kind.trim()) {
                ("1", "Data") => CacheSizes::current().l1,
                ("2", _) => CacheSizes::current().l2,
                _ => continue,
            };
            assert_eq!(ours, kilobytes << 10, "level {level}");
        }
    }
}
