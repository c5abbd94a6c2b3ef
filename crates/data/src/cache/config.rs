//! Configuration of an image cache: what it holds and how it is built.

use crate::BadImages;

/// What a cache holds and how it is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskCacheConfig {
    /// A hash, made by the caller, of everything that the pixels depend on and that the names, labels and stamps of the
    /// source do not show. A cache made with another key is rebuilt.
    pub key: [u8; 32],
    /// Images whose shorter side is longer than this are shrunk to it (bicubic with antialias, same aspect ratio).
    pub side: Option<usize>,
    /// What to do about a file that is not a usable image.
    pub bad_images: BadImages,
    /// Threads that decode; 0 counts as 1. The bytes do not depend on their number.
    pub threads: usize,
}
