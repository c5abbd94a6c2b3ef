//! `[data]`: where the images are, how they are read, cached and normalised.
//!
//! Separate from the other sections because most of its values depend on files. This file must not open anything.

use barlow_data::{BadImages, DataFormat};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The data set. A path that starts with `assets/` is searched for from the working directory upwards.
    pub path: PathBuf,
    /// Folder or list of the training images, below `path`, where it is not found by its name; of a folder, the folders in it are
    /// classes (`"."` is the data set itself).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<PathBuf>,
    /// Folder or list of the images to evaluate on, below `path`, where it is not found by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Fraction of the training images that is held out of the training (above 0, below 1), of each class alike and by whole
    /// groups, chosen by `run.seed`; features are evaluated on them instead of on the set's own test images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// Folder that the paths of a list begin at, if they are not found next to the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_root: Option<PathBuf>,
    /// Columns of a list that is a table, by their names or numbers: `"image,label"` or `"image,label,group"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// Number of training images to use, spread evenly over their order (the order of the classes in a set of folders); all if
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Fraction of the training images to use (above 0, below 1), of each class alike and by whole groups, chosen by `run.seed`:
    /// the labelled part of a semi-supervised protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_fraction: Option<f64>,
    /// A text file with the names of the training images to use, one a line, such as SimCLR's lists of a hundredth and a tenth of
    /// ImageNet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_names: Option<PathBuf>,
    /// How the data set is laid out.
    pub format: DataFormat,
    /// What to do with a file that cannot be read or decoded, and with a bad line of a list.
    pub bad_images: BadImages,
    /// Threads that compute views; 0 computes them between steps; all cores if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// Batches prepared ahead of the device (≥ 1).
    pub queue: usize,
    /// Where decoded images are cached between epochs.
    pub cache: DataCache,
    /// Channel statistics that pixels are normalised with.
    pub normalize: Normalize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            train: None,
            test: None,
            holdout: None,
            list_root: None,
            columns: None,
            train_images: None,
            train_fraction: None,
            train_names: None,
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
    /// Number of threads that compute views.
    pub fn workers(&self) -> usize {
        self.workers.unwrap_or_else(rayon::current_num_threads)
    }
}

/// Where decoded images are cached between epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"auto\", \"off\", \"disk\" or a shorter side in pixels, such as 160"
)]
pub enum DataCache {
    /// At their original size.
    Named(CacheName),
    /// On disk, with the shorter side reduced to this many pixels where it is longer.
    Side(usize),
}

impl Default for DataCache {
    fn default() -> Self {
        Self::Named(CacheName::Auto)
    }
}

/// Where decoded images of their original size are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheName {
    /// In memory if they take at most 1 GiB; otherwise not cached.
    Auto,
    /// Not cached: every epoch reads the files again.
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
