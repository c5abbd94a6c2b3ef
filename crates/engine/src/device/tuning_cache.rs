//! The folder in which CubeCL caches its tuning results: which kernel is fastest for which shape on a device.
//!
//! Tuning takes minutes, so its results must outlive the process and not depend on the working directory. CubeCL's own
//! default is a `target` folder above the working directory. A `cubecl.toml` above the working directory that names a folder
//! is respected. Must run before the first device exists: the setting is read once.

use crate::cache_folder::cache_folder_or_temporary;
use burn_cubecl::cubecl::config::cache::CacheConfig;
use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use std::sync::Once;

/// Makes CubeCL save its tuning results in the user's cache folder, or in a temporary folder of this process if that one is not
/// writable, where CubeCL would panic.
pub fn save_tuning_in_cache_folder() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
        if !matches!(config.autotune.cache, CacheConfig::File(_)) {
            config.autotune.cache = CacheConfig::File(cache_folder_or_temporary());
        }
        CubeClRuntimeConfig::set(config);
    });
}
