//! The version of the image cache's layout.

/// Version of the layout; a cache of another version is rebuilt.
pub const CACHE_VERSION: u32 = 1;
