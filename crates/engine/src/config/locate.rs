//! Locates a config's data set.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// A data set that cannot be found, or whose path cannot be stored in a config.
#[derive(Debug, Error)]
pub enum DataPathError {
    /// No path was given.
    #[error("no data set: set data.path in the config or pass --data DIR")]
    NoPath,
    /// The shipped images are not there.
    #[error("{0} was not found from the working directory upwards or next to the program; pass --data DIR")]
    NoAssets(PathBuf),
    /// A folder whose name cannot be written into a config.
    #[error("{0} has a name that is not Unicode, so it cannot be stored in config.toml; rename it or start elsewhere")]
    NotUnicode(PathBuf),
}

/// Finds the folder of the config's data set.
///
/// A path that starts with `assets/` is searched for from the working directory upwards, then in the program's own folder, then next to
/// the sources that it was built from; any other path is used as given.
///
/// # Errors
/// [`DataPathError::NoPath`], [`DataPathError::NoAssets`].
pub fn locate_data(path: &Path) -> Result<PathBuf, DataPathError> {
    if path.as_os_str().is_empty() {
        return Err(DataPathError::NoPath);
    }
    if !path.starts_with("assets") {
        return Ok(path.to_owned());
    }
    let working = std::env::current_dir().unwrap_or_default();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Canonical, so that messages do not contain `../..`.
    let built = built.canonicalize().unwrap_or(built);
    let program = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.to_owned()));
    let beside = [program.as_deref(), Some(built.as_path())];
    working
        .ancestors()
        .chain(beside.into_iter().flatten())
        .map(|folder| folder.join(path))
        .find(|folder| folder.exists())
        .ok_or_else(|| DataPathError::NoAssets(path.to_owned()))
}
