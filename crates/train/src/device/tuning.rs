//! Where CubeCL keeps what it learnt about a device: which kernel is fastest for which shape.
//!
//! Learning it takes minutes, so it must outlive the process and not depend on where the program was started. CubeCL's own
//! default is a `target` folder above the working directory. A `cubecl.toml` above the working directory that names a folder
//! is obeyed. Must run before the first device exists: the setting is read once.

use barlow_engine::cache_folder::cache_folder_or_temporary;
use burn_cubecl::cubecl::config::cache::CacheConfig;
use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use std::sync::Once;

/// Makes CubeCL keep its results in the user's cache folder; where that cannot be written to CubeCL would panic, so in a
/// folder for this process alone.
pub(super) fn keep_in_cache_folder() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
        if !matches!(config.autotune.cache, CacheConfig::File(_)) {
            config.autotune.cache = CacheConfig::File(cache_folder_or_temporary());
        }
        CubeClRuntimeConfig::set(config);
    });
}
