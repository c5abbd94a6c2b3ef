//! Where CubeCL keeps what it learnt about a device: which kernel is fastest for which shape.
//!
//! Learning it takes minutes, so it must outlive the process and not depend on where the program was started. CubeCL's own
//! default is a `target` folder above the working directory. A `cubecl.toml` above the working directory that names a folder
//! is obeyed. Must run before the first device exists: the setting is read once.

use burn_cubecl::cubecl::config::cache::CacheConfig;
use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Folder of the program's own below the user's cache folder.
const FOLDER: &str = "barlow-twins";

/// Makes CubeCL keep its results in the user's cache folder.
pub(super) fn keep_in_cache_folder() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
        if !matches!(config.autotune.cache, CacheConfig::File(_)) {
            config.autotune.cache = CacheConfig::File(folder());
        }
        CubeClRuntimeConfig::set(config);
    });
}

/// The user's folder, or one for this process alone where that cannot be written to: CubeCL panics then.
fn folder() -> PathBuf {
    let wanted = dirs::cache_dir().map(|cache| cache.join(FOLDER));
    wanted
        .filter(|folder| is_writable(folder))
        .unwrap_or_else(|| std::env::temp_dir().join(format!("{FOLDER}-{}", std::process::id())))
}

/// Whether the folder can be written to, or made. Leaves nothing behind: a dry run comes here too.
fn is_writable(folder: &Path) -> bool {
    let there = folder.ancestors().find(|folder| folder.exists());
    there.is_some_and(|folder| tempfile::tempfile_in(folder).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_below_a_file_is_not_writable_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_writable(&folder.path().join("a/b")));
        assert!(!folder.path().join("a").exists());
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!is_writable(&file.join("b")));
    }
}
