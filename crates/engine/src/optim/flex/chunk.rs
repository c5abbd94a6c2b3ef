//! How a parameter's values are cut for the threads.

/// Values of a chunk: four slices of it fit into the cache of a core (256 KiB), and it is worth waking a thread for.
pub(super) const CHUNK: usize = 1 << 14;
