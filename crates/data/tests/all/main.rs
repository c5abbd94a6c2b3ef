//! Integration tests of `barlow-data`: one binary, because each costs seconds to link. Those that count allocations are on their own.

mod cache;
mod cache_damage;
mod caches;
mod cifar;
mod cifar_format;
mod common;
mod counting;
mod folders;
mod formats;
mod groups;
mod hostile;
mod idx;
mod idx_files;
mod idx_format;
mod index_cache;
mod lists;
mod loader;
mod memory;
mod nested;
mod resume;
mod sets;
mod voc;
