//! The C library's allocator, told to keep what is freed.
//!
//! A training step frees and asks for the same large tensors again and again. By default glibc gives such memory back to the
//! kernel each time, and the fresh pages that come instead are cleared one fault at a time: a tenth of a step of a narrow network.

/// Keeps freed memory for the next step (Linux with glibc; elsewhere nothing happens). To be called before other threads exist.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The largest block that can be kept, in bytes; glibc takes no higher value.
        const LARGEST_KEPT: libc::c_int = 32 << 20;
        // SAFETY: `mallopt` only changes the allocator's settings; a value it does not take changes nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_KEPT);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            libc::mallopt(libc::M_TOP_PAD, LARGEST_KEPT / 2);
        }
    }
}
