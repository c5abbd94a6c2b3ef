//! The chunks of a parameter's values, which are the tasks of the threads.

/// Values per chunk: four slices of it fit into the cache of a core (256 KiB), and it is worth waking a thread for.
pub(super) const CHUNK: usize = 1 << 14;
