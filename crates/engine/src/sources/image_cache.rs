//! The cache of decoded images between epochs: in memory, on disk, or none.
//!
//! This file must not open a data set.

use super::{SourceError, Sources};
use crate::cache_folder::cache_folder;
use crate::config::{CacheName, DataCache};
use crate::units;
use barlow_data::{BadImages, CacheState, DataFormat, DecodedSet, DiskCache, DiskCacheConfig, ImageSource, Skipped};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Decoded images up to this many bytes are cached in memory.
const MEMORY_LIMIT_BYTES: u64 = 1 << 30;

/// The interval between two progress lines while a cache is built.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Caches the images of data sets as the config specifies.
pub(super) struct ImageCache<'a> {
    pub(super) cache: DataCache,
    pub(super) bad_images: BadImages,
    pub(super) format: DataFormat,
    /// The data set's folder, from which the names of its caches are derived.
    pub(super) root: &'a Path,
    /// Whether a cache may be written.
    pub(super) may_write: bool,
    /// Prints a line for the user.
    pub(super) say: &'a dyn Fn(&str),
}

impl ImageCache<'_> {
    /// The images of `part` of the data set ("train" or "test"), cached; adds the bad ones that were skipped to `skipped`.
    pub(super) fn cached(
        &self,
        source: Arc<dyn ImageSource>,
        part: &str,
        skipped: &mut Skipped,
    ) -> Result<Arc<dyn ImageSource>, SourceError> {
        let is_in_memory = holds_images(self.format);
        let side = match self.cache {
            DataCache::Named(CacheName::Off) => return Ok(source),
            DataCache::Named(_) if is_in_memory => return Ok(source),
            DataCache::Named(CacheName::Auto) => return self.in_memory(source, skipped),
            DataCache::Named(CacheName::Disk) => None,
            DataCache::Side(side) => Some(side),
        };
        if self.may_write {
            self.on_disk(source, part, side, is_in_memory, skipped)
        } else {
            (self.say)("cache       would be read from the user's cache folder, or written to it");
            Ok(source)
        }
    }

    fn in_memory(
        &self,
        source: Arc<dyn ImageSource>,
        skipped: &mut Skipped,
    ) -> Result<Arc<dyn ImageSource>, SourceError> {
        let threads = rayon::current_num_threads();
        let Some(decoded) = DecodedSet::load_within(&*source, self.bad_images, threads, MEMORY_LIMIT_BYTES)? else {
            return Ok(source);
        };
        add(skipped, decoded.skipped());
        Ok(Arc::new(decoded))
    }

    fn on_disk(
        &self,
        source: Arc<dyn ImageSource>,
        part: &str,
        side: Option<usize>,
        is_in_memory: bool,
        skipped: &mut Skipped,
    ) -> Result<Arc<dyn ImageSource>, SourceError> {
        let file = self
            .file(part, source.channels(), side)
            .ok_or(SourceError::NoCacheFolder)?;
        let config = DiskCacheConfig {
            // Such a set is a few files, and its images have no time stamps of their own.
            key: if is_in_memory { files_key(self.root) } else { [0; 32] },
            side,
            bad_images: self.bad_images,
            threads: rayon::current_num_threads(),
        };
        let mut told = Instant::now();
        let mut progress = |done: usize, total: usize| {
            if told.elapsed() >= BETWEEN_LINES {
                (self.say)(&format!("cache       {done} of {total} {part} images decoded"));
                told = Instant::now();
            }
        };
        let (cache, state) = DiskCache::open_or_build(source, &file, &config, &mut progress)?;
        let what = match state {
            CacheState::Reused => "found in".to_owned(),
            CacheState::Built => "written to".to_owned(),
            CacheState::Rebuilt(fault) => format!("rebuilt, because {fault}, in"),
        };
        (self.say)(&format!(
            "cache       {} {part} images ({}), {what} {}",
            cache.len(),
            units::bytes(cache.bytes()),
            file.display()
        ));
        add(skipped, &cache.skipped());
        Ok(Arc::new(cache))
    }

    /// The cache file of a part: a different one for every folder, number of channels and size, so that recipes that differ in
    /// these do not overwrite each other's.
    fn file(&self, part: &str, channels: usize, side: Option<usize>) -> Option<PathBuf> {
        let root = std::path::absolute(self.root).unwrap_or_else(|_| self.root.to_owned());
        let name = blake3::hash(format!("{}\n{channels}\n{side:?}", root.display()).as_bytes());
        let name = format!("{}-{part}.images", &name.to_hex()[..32]);
        Some(cache_folder()?.join("images").join(name))
    }
}

/// Whether the decoded training images of a set would be held in memory: they are few enough, and their reader does not hold them
/// already. Decodes them, up to the limit.
///
/// # Errors
/// If an image cannot be read.
pub fn fits_in_memory(sources: &Sources, bad_images: BadImages) -> Result<bool, SourceError> {
    if holds_images(sources.format) {
        return Ok(false);
    }
    let threads = rayon::current_num_threads();
    Ok(DecodedSet::load_within(&*sources.train, bad_images, threads, MEMORY_LIMIT_BYTES)?.is_some())
}

/// Whether the reader of a format holds the set in memory, and none of its files is a bad image.
fn holds_images(format: DataFormat) -> bool {
    matches!(format, DataFormat::Cifar10 | DataFormat::Cifar100 | DataFormat::Idx)
}

/// A hash of names, sizes and times of the files in a folder and in those directly below it.
fn files_key(root: &Path) -> [u8; 32] {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let (folders, mut files): (Vec<_>, Vec<_>) = below(root).into_iter().partition(|path| path.is_dir());
    files.extend(
        folders
            .iter()
            .flat_map(|folder| below(folder))
            .filter(|path| path.is_file()),
    );
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let metadata = std::fs::metadata(&file);
        let (size, time) = metadata.map_or((0, None), |metadata| (metadata.len(), metadata.modified().ok()));
        hasher.update(format!("{}\n{size} {time:?}\n", file.display()).as_bytes());
    }
    *hasher.finalize().as_bytes()
}

fn add(total: &mut Skipped, more: &Skipped) {
    total.count += more.count;
    total.first = total.first.take().or_else(|| more.first.clone());
}
