//! The program's folder in the user's cache folder: files that may be deleted at any time and are rebuilt.
//!
//! It holds tuned kernels, the listings of large image folders, decoded images and features, never a result. This file must not depend on
//! what is cached.

use std::path::{Path, PathBuf};

/// Name of the program's folder in the user's cache folder.
const FOLDER: &str = "barlow-twins";

/// The program's cache folder, `~/.cache/barlow-twins` on Linux; `None` if the user has no writable one. Creates nothing.
pub fn cache_folder() -> Option<PathBuf> {
    let wanted = dirs::cache_dir().map(|cache| cache.join(FOLDER));
    wanted.filter(|folder| is_writable(folder))
}

/// [`cache_folder`], or a temporary one for this process alone.
pub fn cache_folder_or_temporary() -> PathBuf {
    cache_folder().unwrap_or_else(|| std::env::temp_dir().join(format!("{FOLDER}-{}", std::process::id())))
}

/// Whether the folder is writable or can be created. Leaves nothing behind, because a dry run calls it too.
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
