//! Atomic file writes.

use anyhow::{Context, Result};
use serde::Serialize;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Prefix of the names of incomplete files.
pub(crate) const PARTIAL: &str = ".partial-";

/// Writes a file atomically: temporary file in the same folder, sync, rename, sync of the folder. When it returns, the file
/// survives a power cut, so that an older one may be removed.
///
/// # Errors
/// With the path; the file that was there stays.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = folder_of(path).context("a file has a folder")?;
    std::fs::create_dir_all(parent).with_context(|| format!("cannot create the folder {}", parent.display()))?;
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(parent)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        make_readable(path)?;
        sync_folder(parent)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// A file that is written piece by piece and appears whole when it is [persisted](StreamedFile::persist); dropped before, it
/// leaves nothing.
pub(crate) struct StreamedFile {
    file: std::io::BufWriter<tempfile::NamedTempFile>,
    path: PathBuf,
}

impl StreamedFile {
    /// Begins the file in the folder of `path`, which is made if it is not there.
    ///
    /// # Errors
    /// With the path.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let parent = folder_of(path).context("a file has a folder")?;
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create the folder {}", parent.display()))?;
        let file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(parent);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            file: std::io::BufWriter::new(file),
            path: path.to_owned(),
        })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// With the path.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Replaces the first bytes, which were written before.
    ///
    /// # Errors
    /// With the path.
    pub(crate) fn overwrite_start(&mut self, bytes: &[u8]) -> Result<()> {
        let file = &mut self.file;
        let written = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.write_all(bytes))
            .and_then(|()| file.seek(SeekFrom::End(0)));
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(())
    }

    /// Gives the file its name; returns it.
    ///
    /// # Errors
    /// With the path; the file that was there stays.
    pub(crate) fn persist(self) -> Result<PathBuf> {
        let Self { file, path } = self;
        let parent = folder_of(&path).context("a file has a folder")?.to_owned();
        let finish = || -> std::io::Result<()> {
            let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            make_readable(&path)?;
            sync_folder(&parent)
        };
        finish().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// The folder of a file; a name alone is in the current one, which has no empty name.
fn folder_of(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    })
}

/// Temporary files are readable by their owner alone; a result has ordinary permissions.
#[cfg(unix)]
fn make_readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// A rename changes only the folder, which is in memory alone until it is synced too.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(test)]
    tests::SYNCED.with_borrow_mut(|synced| synced.push(folder.to_owned()));
    match std::fs::File::open(folder)?.sync_all() {
        // Some network file systems cannot sync a folder; a file there is as safe as they make it.
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}

/// [`write_atomic`] of a value as indented JSON.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    write_atomic(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::path::PathBuf;

    thread_local! {
        pub(super) static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn a_file_replaces_another_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/file");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        #[cfg(unix)]
        SYNCED.with_borrow(|synced| assert_eq!(*synced, [path.parent().unwrap(), path.parent().unwrap()]));
    }
}
