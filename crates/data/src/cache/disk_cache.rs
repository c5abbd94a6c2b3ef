//! [`DiskCache`], an image cache as a set of images: opened, or built under another name and then renamed.
//!
//! This file must not know how the bytes are laid out.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::{Image8, PlanarImage8, RgbImage8};
use rayon::prelude::*;

use super::build::build;
use super::format::pixel_checksum;
use super::read::{self, read_error};
use super::{CACHE_VERSION, CacheEntry, CacheError, CacheFault, CacheIndex, DiskCacheConfig};
use crate::{BadImages, DataError, ImageSource, Skipped};

/// Whether a cache was built or reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheState {
    /// There was no cache.
    Built,
    /// The one on the disk is used.
    Reused,
    /// The one on the disk was replaced.
    Rebuilt(CacheFault),
}

/// A set of images in a cache file. Each image is one positioned read and a checksum.
pub struct DiskCache {
    source: Arc<dyn ImageSource>,
    path: PathBuf,
    file: File,
    index: CacheIndex,
}

impl DiskCache {
    /// Opens the cache of `source` at `path`, or builds it and calls `progress` with the number of finished images and of all
    /// images. Bad images are skipped or an error; the numbers of a cache are then those of the good ones, as in
    /// [`crate::DecodedSet`].
    ///
    /// # Errors
    /// [`CacheError`] when it cannot be written, [`DataError::Read`] when it cannot be read, and the errors of loading
    /// the images.
    ///
    /// # Panics
    /// If `config.side` is 0.
    pub fn open_or_build(
        source: Arc<dyn ImageSource>,
        path: &Path,
        config: &DiskCacheConfig,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Self, CacheState), DataError> {
        assert!(config.side != Some(0), "images cannot be shrunk to side 0");
        let fingerprint = fingerprint(&*source, config);
        let found = match read::open(path)? {
            Some((file, Ok(index))) if index.fingerprint == fingerprint => Ok((file, index)),
            Some((_, Ok(_))) => Err(CacheState::Rebuilt(CacheFault::Outdated)),
            Some((_, Err(fault))) => Err(CacheState::Rebuilt(fault)),
            None => Err(CacheState::Built),
        };
        let (file, index, state) = match found {
            Ok((file, index)) => (file, index, CacheState::Reused),
            Err(state) => {
                let file = write(&*source, path, config, fingerprint, progress)?;
                let index = read::index(&file).map_err(|error| read_error(path, error))?;
                let damaged = |_| CacheError::Damaged {
                    path: path.into(),
                    name: "its index".into(),
                };
                (file, index.map_err(damaged)?, state)
            }
        };
        let path = path.to_owned();
        let cache = Self {
            source,
            path,
            file,
            index,
        };
        Ok((cache, state))
    }

    /// The images that were skipped when it was built.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        Skipped {
            count: self.index.skipped,
            first: (self.index.skipped > 0).then(|| self.index.first_skipped.clone()),
        }
    }

    /// Size of the pixels on disk in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let bytes = |entry: &CacheEntry| entry.bytes(self.index.channels) as u64;
        self.index.entries.iter().map(bytes).sum()
    }

    /// The index in the source of image `index`.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn source_index(&self, index: usize) -> usize {
        self.index.entries[index].number
    }
}

/// Writes the cache next to `path` under a temporary name and renames it.
fn write(
    source: &dyn ImageSource,
    path: &Path,
    config: &DiskCacheConfig,
    fingerprint: [u8; 32],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<File, DataError> {
    let write_error = |error| DataError::Cache(CacheError::write(path, error));
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(write_error)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".images-").suffix(".tmp");
    // Permissions follow the user's umask, as for any other file: a set is often shared.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder).map_err(write_error)?;
    build(file.as_file(), path, source, config, fingerprint, progress)?;
    file.as_file().sync_all().map_err(write_error)?;
    file.persist(path).map_err(|error| write_error(error.error))
}

/// A hash of everything that the pixels depend on, as far as it is known without decoding.
fn fingerprint(source: &dyn ImageSource, config: &DiskCacheConfig) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(b"barlow image cache")
        .update(&CACHE_VERSION.to_le_bytes())
        .update(&config.key);
    let side = config.side.unwrap_or(usize::MAX);
    for number in [
        side,
        source.channels(),
        source.len(),
        usize::from(config.bad_images == BadImages::Skip),
    ] {
        hasher.update(&(number as u64).to_le_bytes());
    }
    // One metadata query per file, which is slow on a network disk.
    let stamps: Vec<[u64; 2]> = (0..source.len())
        .into_par_iter()
        .map(|index| source.stamp(index))
        .collect();
    for (index, [size, time]) in stamps.into_iter().enumerate() {
        let (name, label) = (source.name(index), source.label(index).unwrap_or(usize::MAX));
        for number in [name.len() as u64, label as u64, size, time] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(name.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

impl ImageSource for DiskCache {
    fn len(&self) -> usize {
        self.index.entries.len()
    }

    fn classes(&self) -> &[String] {
        self.source.classes()
    }

    fn channels(&self) -> usize {
        self.index.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.source.label(self.source_index(index))
    }

    fn labels(&self, index: usize) -> Vec<usize> {
        self.source.labels(self.source_index(index))
    }

    fn name(&self, index: usize) -> String {
        self.source.name(self.source_index(index))
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        let (entry, channels) = (self.index.entries[index], self.index.channels);
        let mut pixels = vec![0; entry.bytes(channels)];
        read::exact_at(&self.file, &mut pixels, entry.offset).map_err(|error| read_error(&self.path, error))?;
        if pixel_checksum(&pixels) != entry.checksum {
            return Err(DataError::Cache(CacheError::Damaged {
                path: self.path.clone(),
                name: self.name(index),
            }));
        }
        Ok(Arc::new(if channels == 3 {
            RgbImage8::new(entry.width, entry.height, pixels).into()
        } else {
            PlanarImage8::new(channels, entry.width, entry.height, pixels).into()
        }))
    }
}
