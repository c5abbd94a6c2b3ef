//! The image cache: decoded and shrunk images in one file on disk. A set is decoded once, and later runs read pixels.
//!
//! A file that is truncated, damaged, of another format or made from other images is detected and rebuilt. It appears
//! under its name only when it is complete, so two processes that build it at once, or one that is killed, leave no
//! partial file. Names and labels stay with the source. This file must contain only module declarations and re-exports.

mod build;
mod config;
mod disk_cache;
mod error;
mod format;
#[cfg(test)]
mod format_tests;
mod read;
mod version;

pub use config::DiskCacheConfig;
pub use disk_cache::{CacheState, DiskCache};
pub use error::{CacheError, CacheFault};
pub use format::{CacheEntry, CacheIndex};
pub use version::CACHE_VERSION;
