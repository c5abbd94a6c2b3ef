//! What an image cache holds and how it is built.

use crate::BadImages;

/// What a cache is to hold and how it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskCacheConfig {
    /// Whatever the pixels depend on that the names, labels and stamps of the source do not show, hashed by the caller.
    /// A cache made with another key is rebuilt.
    pub key: [u8; 32],
    /// Images whose shorter side is longer than this are shrunk to it (bicubic with antialias, aspect kept).
    pub side: Option<usize>,
    /// What to do about a file that is not a usable image.
    pub bad_images: BadImages,
    /// Threads that decode; 0 counts as 1. No number of them changes a byte.
    pub threads: usize,
}
