//! From a config to the images of a run: where the data set is, how it is read, what its pixels are normalised with.

use crate::config::{Config, DataFormat, Normalize, NormalizeName};
use anyhow::Result;
use barlow_augment::Normalization;
use barlow_data::{BadImages, DataError, DecodedSet, ImageFolder, ImageSource, Skipped, Splits, channel_statistics};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Decoded images up to this many bytes are kept in memory instead of being decoded in every epoch.
const CACHE_LIMIT_BYTES: u64 = 1 << 30;

/// The images of a run.
#[derive(Clone)]
pub struct Sources {
    /// Images to train on; their labels are used by the probes only.
    pub train: Arc<dyn ImageSource>,
    /// Images to judge features on.
    pub test: Option<Arc<dyn ImageSource>>,
    /// Names of the classes; empty without labels.
    pub classes: Vec<String>,
    /// Statistics that pixels are normalised with.
    pub normalization: Normalization,
    /// Images left out because they could not be decoded.
    pub skipped: Skipped,
}

/// A data set that cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    /// No path was given.
    #[error("no data set: set data.path in the config or pass --data DIR")]
    NoPath,
    /// The shipped images are not there.
    #[error("{0} was looked for from the working directory upwards and beside the program's sources; pass --data DIR")]
    NoAssets(PathBuf),
    /// A folder whose name cannot be written into a config.
    #[error("{0} has a name that is not Unicode, so it cannot be stored in config.toml; rename it or start elsewhere")]
    NotUnicode(PathBuf),
    /// The reader's own error.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// Finds the folder of the config's data set.
///
/// A path that starts with `assets/` is sought from the working directory upwards, then beside the sources that the
/// program was built from; any other path is taken as it is.
///
/// # Errors
/// [`SourceError::NoPath`], [`SourceError::NoAssets`].
pub fn find_data(path: &Path) -> Result<PathBuf, SourceError> {
    if path.as_os_str().is_empty() {
        return Err(SourceError::NoPath);
    }
    if !path.starts_with("assets") {
        return Ok(path.to_owned());
    }
    let working = std::env::current_dir().unwrap_or_default();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Without the dots, which a person would have to read past in every line about it.
    let built = built.canonicalize().unwrap_or(built);
    working
        .ancestors()
        .chain([built.as_path()])
        .map(|folder| folder.join(path))
        .find(|folder| folder.is_dir())
        .ok_or_else(|| SourceError::NoAssets(path.to_owned()))
}

/// The config as it is stored with a run: every value of the views written out, and the data set's folder found and
/// absolute, so that the run can be resumed from any working directory.
///
/// # Errors
/// As [`find_data`], and [`SourceError::NotUnicode`].
pub fn settle(mut config: Config) -> Result<Config, SourceError> {
    let found = find_data(&config.data.path)?;
    let absolute = std::path::absolute(&found).unwrap_or(found);
    if absolute.to_str().is_none() {
        return Err(SourceError::NotUnicode(absolute));
    }
    config.data.path = absolute;
    config.views = config.views.resolved();
    Ok(config)
}

/// Opens the data set and decodes it when it is small.
///
/// # Errors
/// [`SourceError`].
pub fn open(config: &Config) -> Result<Sources, SourceError> {
    let root = find_data(&config.data.path)?;
    let splits = match config.data.format {
        DataFormat::Auto | DataFormat::Folder => Splits::open(&root, config.model.in_channels)?,
    };
    let classes = splits.train.classes().to_vec();
    let mut skipped = Skipped::default();
    let train = prepare(splits.train, config.data.bad_images, &mut skipped)?;
    // Test images beside class folders, without classes of their own, cannot be judged.
    let test = splits.test.filter(|test| classes.is_empty() || test.label(0).is_some());
    let test = test
        .map(|test| prepare(test, config.data.bad_images, &mut skipped))
        .transpose()?;
    let normalization = match &config.data.normalize {
        Normalize::Named(NormalizeName::Imagenet) => Normalization::imagenet(),
        Normalize::Named(NormalizeName::Data) => channel_statistics(train.as_ref(), config.data.bad_images)?,
        Normalize::Given { mean, std } => Normalization {
            mean: mean.clone(),
            std: std.clone(),
        },
    };
    Ok(Sources {
        train,
        test,
        classes,
        normalization,
        skipped,
    })
}

/// Decodes a set that fits into memory once; a larger one is decoded in every epoch.
fn prepare(folder: ImageFolder, bad: BadImages, skipped: &mut Skipped) -> Result<Arc<dyn ImageSource>, SourceError> {
    let threads = rayon::current_num_threads();
    let Some(decoded) = DecodedSet::load_within(&folder, bad, threads, CACHE_LIMIT_BYTES)? else {
        return Ok(Arc::new(folder));
    };
    skipped.count += decoded.skipped().count;
    skipped.first = skipped.first.take().or_else(|| decoded.skipped().first.clone());
    Ok(Arc::new(decoded))
}
