//! Features of whole sets in the user's cache folder, so that a second protocol on the same network and images costs no forward pass.
//!
//! A file is named by a hash of everything that its features depend on: the backbone's weights, the device, the images and how
//! their pixels are prepared. It is read only if its checksum is correct, and may be deleted at any time.

use super::layer::FeatureLayer;
use super::network::Rows;
use crate::cache_folder::cache_folder;
use crate::files::write_atomic;
use anyhow::Result;
use barlow_augment::EvalTransform;
use barlow_data::ImageSource;
use barlow_model::{HostTensor, SafetensorsFile, StateDict, read_safetensors, save_safetensors};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The most bytes of one set's features; larger ones are not cached.
const MOST_BYTES: u64 = 512 << 20;
/// The most bytes of all files; the ones that were used longest ago are removed.
const MOST_BYTES_OF_ALL: u64 = 4 << 30;
/// Changes where the meaning of a file does.
const FORMAT: &str = "features-1";
/// Ending of the files' names.
const ENDING: &str = "features";

/// The cached features of one network on one device.
#[derive(Clone, Debug)]
pub struct FeatureCache {
    folder: PathBuf,
    network: String,
    most_of_all: u64,
}

/// Features of a set.
pub(super) struct CachedFeatures {
    /// Indices of the images; unusable ones are missing.
    pub(super) images: Vec<usize>,
    pub(super) rows: Rows,
}

/// The metadata of a file.
#[derive(Serialize, Deserialize)]
struct Header {
    /// The key, in case that the file was renamed.
    key: String,
    /// Images of the set.
    images: usize,
    /// Those without a row.
    skipped: Vec<usize>,
    /// Of all of this and the rows.
    checksum: String,
}

impl Header {
    fn checksum(&self, width: usize, values: &[f32]) -> String {
        let mut hasher = blake3::Hasher::new();
        let Self {
            key, images, skipped, ..
        } = self;
        hasher.update(format!("{key} {images} {skipped:?} {width}\n").as_bytes());
        update(&mut hasher, values);
        hasher.finalize().to_hex().to_string()
    }
}

impl FeatureCache {
    /// The features of a network in the user's cache folder, where there is a writable one. `weights` have the names of a
    /// checkpoint; `device` names what computes, because devices round differently.
    pub fn of(weights: &StateDict, device: &str) -> Option<Self> {
        let folder = cache_folder()?.join("features");
        Some(Self::in_folder(&folder, weights, device))
    }

    pub(super) fn in_folder(folder: &Path, weights: &StateDict, device: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{FORMAT}\n{}\n{device}\n", env!("CARGO_PKG_VERSION")).as_bytes());
        for (name, tensor) in weights.iter().filter(|(name, _)| name.starts_with("backbone.")) {
            hasher.update(format!("{name} {:?}\n", tensor.shape).as_bytes());
            update(&mut hasher, &tensor.data);
        }
        Self {
            folder: folder.to_owned(),
            network: hasher.finalize().to_hex().to_string(),
            most_of_all: MOST_BYTES_OF_ALL,
        }
    }

    /// The key of a set's features; `None` if an image cannot be identified, so that nothing is cached.
    pub(super) fn key(
        &self,
        source: &dyn ImageSource,
        transform: &EvalTransform,
        layer: FeatureLayer,
    ) -> Option<String> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.network.as_bytes());
        hasher.update(format!("{transform:?} {layer:?} {}\n", source.channels()).as_bytes());
        for image in identities(source)? {
            hasher.update(&image);
        }
        Some(hasher.finalize().to_hex()[..32].to_owned())
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.{ENDING}"))
    }

    /// The features of a key; `None` if they are not cached, or their file is damaged.
    pub(super) fn read(&self, key: &str) -> Option<CachedFeatures> {
        let path = self.path(key);
        let file = read_safetensors(&std::fs::read(&path).ok()?).ok()?;
        let features = checked(file, key)?;
        // When it was used last; a file system that has no times keeps the order in which files were written.
        if let Ok(file) = std::fs::File::options().append(true).open(&path) {
            drop(file.set_modified(SystemTime::now()));
        }
        Some(features)
    }

    /// Whether features of this many values may be cached.
    pub(super) fn takes(values: usize) -> bool {
        values as u64 * 4 <= MOST_BYTES
    }

    /// Caches the features of a set of `total` images. What cannot be written is not cached.
    pub(super) fn write(&self, key: &str, total: usize, features: &CachedFeatures) {
        let CachedFeatures { images, rows } = features;
        if !Self::takes(rows.values.len()) || rows.values.iter().any(|value| !value.is_finite()) {
            return;
        }
        self.make_room(rows.values.len() as u64 * 4);
        let mut usable = images.iter().peekable();
        let mut header = Header {
            key: key.to_owned(),
            images: total,
            skipped: (0..total).filter(|image| usable.next_if_eq(&image).is_none()).collect(),
            checksum: String::new(),
        };
        header.checksum = header.checksum(rows.width, &rows.values);
        let write = || -> Result<()> {
            let tensor = HostTensor {
                shape: vec![images.len(), rows.width],
                data: rows.values.clone(),
            };
            let state: StateDict = [("rows".to_owned(), tensor)].into();
            let header = serde_json::to_string(&header)?;
            write_atomic(
                &self.path(key),
                &save_safetensors(&state, None, Some(("features", &header)))?,
            )
        };
        // A cache that cannot be written costs time only.
        drop(write());
    }

    /// Removes the files that were used longest ago until `more` bytes fit.
    fn make_room(&self, more: u64) {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter(|entry| entry.path().extension().is_some_and(|ending| ending == ENDING))
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total = more + files.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        for (_, bytes, path) in files {
            if total <= self.most_of_all {
                break;
            }
            drop(std::fs::remove_file(path));
            total -= bytes;
        }
    }
}

/// The contents of a file, if they are whole and those of the key.
fn checked(file: SafetensorsFile, key: &str) -> Option<CachedFeatures> {
    let SafetensorsFile {
        mut tensors, metadata, ..
    } = file;
    let header: Header = serde_json::from_str(metadata.get("features")?).ok()?;
    let HostTensor { shape, data } = tensors.remove("rows")?;
    let &[count, width] = shape.as_slice() else { return None };
    let mut skipped = header.skipped.iter().peekable();
    let is_usable = |image: &usize| skipped.next_if_eq(&image).is_none();
    // A count that no file justifies allocates nothing.
    let fits = header.images == count.checked_add(header.skipped.len())?;
    let is_whole = fits && header.key == key && header.checksum == header.checksum(width, &data);
    let images: Vec<usize> = if is_whole {
        (0..header.images).filter(is_usable).collect()
    } else {
        return None;
    };
    (images.len() == count).then_some(CachedFeatures {
        images,
        rows: Rows { values: data, width },
    })
}

fn update(hasher: &mut blake3::Hasher, values: &[f32]) {
    for block in values.chunks(1 << 14) {
        let bytes: Vec<u8> = block.iter().flat_map(|value| value.to_le_bytes()).collect();
        hasher.update(&bytes);
    }
}

/// What identifies each image: its name with size and time of its file, or, where there is no file of its own, its pixels.
fn identities(source: &dyn ImageSource) -> Option<Vec<[u8; 32]>> {
    let identity = |index: usize| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(source.name(index).as_bytes()).update(&[0]);
        let stamp = source.stamp(index);
        if stamp.contains(&0) {
            match source.image(index) {
                Ok(image) => {
                    hasher.update(format!("{} {} ", image.width(), image.height()).as_bytes());
                    hasher.update(image.pixels());
                }
                // One that is skipped stays unusable as long as its bytes are what they are, which nothing tells here.
                Err(_) => return None,
            }
        } else {
            hasher.update(&stamp[0].to_le_bytes()).update(&stamp[1].to_le_bytes());
        }
        Some(*hasher.finalize().as_bytes())
    };
    (0..source.len()).into_par_iter().map(identity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::{Normalization, RgbImage8};
    use barlow_data::MemorySet;

    fn weights(value: f32) -> StateDict {
        let tensor = |value| HostTensor {
            shape: vec![1],
            data: vec![value],
        };
        [
            ("backbone.w".to_owned(), tensor(value)),
            ("projector.w".to_owned(), tensor(9.0)),
        ]
        .into()
    }

    fn set(grey: u8) -> MemorySet {
        let image = |value: u8| RgbImage8::from_fn(2, 2, |_, _| [value; 3]).into();
        MemorySet::new(
            vec![image(1), image(grey)],
            Some(vec![0, 1]),
            vec!["a".into(), "b".into()],
        )
    }

    fn features() -> CachedFeatures {
        CachedFeatures {
            images: vec![0, 2],
            rows: Rows {
                values: vec![1.0, 2.0, 3.0, 4.0],
                width: 2,
            },
        }
    }

    #[test]
    fn features_are_found_again_and_a_damaged_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FeatureCache::in_folder(folder.path(), &weights(1.0), "cpu");
        assert!(cache.read("key").is_none());
        cache.write("key", 3, &features());
        let found = cache.read("key").unwrap();
        assert_eq!((found.images, found.rows), (features().images, features().rows));
        // Any changed byte: of the header, of the metadata, of the rows.
        let path = cache.path("key");
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            if let Some(found) = cache.read("key") {
                // A changed name of a field that is not read, or white space.
                assert_eq!((found.images, found.rows), (vec![0, 2], features().rows), "byte {at}");
            }
        }
        for length in [0, 7, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(cache.read("key").is_none(), "{length} bytes");
        }
        std::fs::write(cache.path("other"), &whole).unwrap();
        assert!(cache.read("other").is_none(), "a renamed file");
        let mut diverged = features();
        diverged.rows.values[3] = f32::NAN;
        cache.write("nan", 3, &diverged);
        assert!(!cache.path("nan").exists());
    }

    #[test]
    fn everything_that_features_depend_on_is_in_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let transform = |crop| EvalTransform::new(4, crop, Normalization::imagenet()).unwrap();
        let key = |value, device: &str, grey, crop, squash, layer| {
            let cache = FeatureCache::in_folder(folder.path(), &weights(value), device);
            cache
                .key(&set(grey), &transform(crop).with_squash(squash), layer)
                .unwrap()
        };
        let pooled = FeatureLayer::Pooled;
        let keys = [
            key(1.0, "cpu", 2, 4, false, pooled),
            key(2.0, "cpu", 2, 4, false, pooled),
            key(1.0, "cuda", 2, 4, false, pooled),
            key(1.0, "cpu", 3, 4, false, pooled),
            key(1.0, "cpu", 2, 3, false, pooled),
            key(1.0, "cpu", 2, 4, true, pooled),
            key(1.0, "cpu", 2, 4, false, FeatureLayer::Quarters),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(one), "key {at} occurs twice");
        }
        assert_eq!(keys[0], key(1.0, "cpu", 2, 4, false, pooled));
    }

    #[test]
    fn the_files_that_were_used_longest_ago_give_way() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = FeatureCache::in_folder(folder.path(), &weights(1.0), "cpu");
        let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        for (name, age) in [("a", 2), ("b", 1), ("c", 3)] {
            cache.write(name, 3, &features());
            let file = std::fs::File::options().append(true).open(cache.path(name)).unwrap();
            file.set_modified(old + std::time::Duration::from_secs(age)).unwrap();
        }
        let each = std::fs::metadata(cache.path("a")).unwrap().len();
        assert!(cache.read("b").is_some(), "used now");
        cache.most_of_all = 2 * each + 16;
        cache.write("d", 3, &features());
        let is_there = ["a", "b", "c", "d"].map(|name| cache.path(name).exists());
        assert_eq!(is_there, [false, true, true, true]);
    }
}
