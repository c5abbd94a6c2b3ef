//! `[data]`: where the images are, how they are read, kept and normalised.
//!
//! Apart from the other sections because most of what it names is decided by files. This file must not open anything.

use barlow_data::{BadImages, DataFormat};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The data set. A path that starts with `assets/` is sought from the working directory upwards.
    pub path: PathBuf,
    /// So many of the training images, spread evenly over their order, which is that of the classes in a set of folders; absent
    /// takes all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// How the data set is laid out.
    pub format: DataFormat,
    /// What to do with a file that cannot be decoded.
    pub bad_images: BadImages,
    /// Threads that make views; 0 makes them between two steps, absent takes all cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// Batches made ahead of the device (≥ 1).
    pub queue: usize,
    /// Where decoded images are kept from one epoch to the next.
    pub cache: DataCache,
    /// Channel statistics that pixels are normalised with.
    pub normalize: Normalize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            train_images: None,
            format: DataFormat::default(),
            bad_images: BadImages::default(),
            workers: None,
            queue: 2,
            cache: DataCache::default(),
            normalize: Normalize::default(),
        }
    }
}

impl DataConfig {
    /// Threads that make views.
    pub fn workers(&self) -> usize {
        self.workers.unwrap_or_else(rayon::current_num_threads)
    }
}

/// Where decoded images are kept from one epoch to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"auto\", \"off\", \"disk\" or a shorter side in pixels, as 160"
)]
pub enum DataCache {
    /// With the size they have.
    Named(CacheName),
    /// On disk, those with a longer shorter side reduced to this many pixels.
    Side(usize),
}

impl Default for DataCache {
    fn default() -> Self {
        Self::Named(CacheName::Auto)
    }
}

/// Where decoded images of their own size are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheName {
    /// In memory, where they take 1 GiB at most; otherwise nowhere.
    Auto,
    /// Nowhere: every epoch reads the files again.
    Off,
    /// In one file in the user's cache folder, for this run and later ones.
    Disk,
}

/// Channel statistics that pixels are normalised with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"imagenet\", \"data\" or { mean = [r, g, b], std = [r, g, b] }"
)]
pub enum Normalize {
    /// A known set of statistics.
    Named(NormalizeName),
    /// Statistics of pixels in [0, 1].
    Given {
        /// Mean of each channel, as many as `model.in_channels`.
        mean: Vec<f32>,
        /// Standard deviation of each channel, above 0.
        std: Vec<f32>,
    },
}

impl Default for Normalize {
    fn default() -> Self {
        Self::Named(NormalizeName::Imagenet)
    }
}

/// A known set of channel statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormalizeName {
    /// ImageNet's, as the official code.
    Imagenet,
    /// Computed from the training images in one pass.
    Data,
}
