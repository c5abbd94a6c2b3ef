//! Allocator settings: glibc retains freed memory.
//!
//! Training steps allocate and free the same large tensors again and again. By default glibc returns such memory to the kernel
//! each time, and the fresh pages are zeroed one page fault at a time: a tenth of a step of a narrow network.

/// Retains freed memory for the next step (Linux with glibc; a no-op elsewhere). Call it before other threads exist.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The largest block that can be retained, in bytes; glibc accepts no higher value.
        const LARGEST_KEPT: libc::c_int = 32 << 20;
        // SAFETY: `mallopt` only changes the allocator's settings; a value that it does not accept changes nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_KEPT);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            libc::mallopt(libc::M_TOP_PAD, LARGEST_KEPT / 2);
        }
    }
}
