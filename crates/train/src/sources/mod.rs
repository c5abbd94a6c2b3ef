//! From a config to the images of a run: where the data set is, how it is read, what its pixels are normalised with.

mod keep;

use crate::cache_folder::cache_folder;
use crate::config::{Config, Normalize, NormalizeName};
use crate::plan::ImageCounts;
use anyhow::Result;
use barlow_augment::Normalization;
use barlow_data::{
    DataError, DataFormat, ImageSource, IndexCache, IndexNote, OpenOptions, Skipped, Splits, Subset, channel_statistics,
};
use keep::Keeper;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// The images of a run: those of its config ([`open`]), or a program's own.
#[derive(Clone)]
pub struct Sources {
    /// Images to train on; their labels are used by the probes only.
    pub train: Arc<dyn ImageSource>,
    /// Images to judge features on.
    pub test: Option<Arc<dyn ImageSource>>,
    /// Names of the classes; empty without labels, and where an image has several.
    pub classes: Vec<String>,
    /// What the data set turned out to be.
    pub format: DataFormat,
    /// Statistics that pixels are normalised with.
    pub normalization: Normalization,
    /// Images left out because they could not be decoded.
    pub skipped: Skipped,
}

/// Which images a run is trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// How many.
    pub count: usize,
    /// A digest of their names and labels, in their order.
    pub fingerprint: String,
}

impl Sources {
    /// Images of a program's own. Their classes are told apart by the probes where each image has one label; test images without any
    /// are left out then. The normalisation is not stored with a run: a resumed one must be given the same.
    pub fn of(train: Arc<dyn ImageSource>, test: Option<Arc<dyn ImageSource>>, normalization: Normalization) -> Self {
        let classes = classes(train.as_ref());
        let test = test.filter(|test| can_be_judged(test.as_ref(), &classes));
        Self {
            classes,
            train,
            test,
            format: DataFormat::Auto,
            normalization,
            skipped: Skipped::default(),
        }
    }

    /// How many there are.
    pub fn counts(&self) -> ImageCounts {
        ImageCounts {
            train: self.train.len(),
            test: self.test.as_ref().map_or(0, |test| test.len()),
            classes: self.classes.len(),
            format: self.format,
        }
    }

    /// Which images are trained on; looks at all their names.
    pub fn images(&self) -> Images {
        Images {
            count: self.train.len(),
            fingerprint: fingerprint(self.train.as_ref()),
        }
    }
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
    /// A cache on disk was asked for, and there is no place for it.
    #[error("data.cache: the user's cache folder cannot be written to; set data.cache to \"auto\" or \"off\"")]
    NoCacheFolder,
    /// Fewer training images than `data.train_images`.
    #[error("data.train_images is {wanted} and there are only {found} training images; lower it or leave it out")]
    TooFew {
        /// Asked for.
        wanted: usize,
        /// There.
        found: usize,
    },
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
        .find(|folder| folder.exists())
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

/// Opens the data set and keeps its images as the config says. `say` takes lines for the person; nothing is written
/// unless `may_write`.
///
/// # Errors
/// [`SourceError`].
pub fn open(config: &Config, may_write: bool, say: &dyn Fn(&str)) -> Result<Sources, SourceError> {
    let root = find_data(&config.data.path)?;
    let data = &config.data;
    let options = OpenOptions {
        format: data.format,
        channels: config.model.in_channels,
        index_cache: cache_folder()
            .filter(|_| may_write)
            .map(|folder| IndexCache::new(folder.join("index"))),
        list_root: None,
    };
    let splits = Splits::open(&root, &options)?;
    for note in &splits.index {
        if *note != IndexNote::Small {
            say(&format!("index       {note}"));
        }
    }
    let classes = classes(splits.train.as_ref());
    let keeper = Keeper {
        cache: data.cache,
        bad_images: data.bad_images,
        format: splits.format,
        root: &root,
        may_write,
        say,
    };
    let mut skipped = Skipped::default();
    let part = some_of(splits.train, data.train_images)?;
    // A part of a set has a cache of its own.
    let name = data
        .train_images
        .map_or("train".to_owned(), |count| format!("train-{count}"));
    let train = keeper.keep(part, &name, &mut skipped)?;
    let test = splits.test.filter(|test| can_be_judged(test.as_ref(), &classes));
    let test = test.map(|test| keeper.keep(test, "test", &mut skipped)).transpose()?;
    let normalization = match &data.normalize {
        Normalize::Named(NormalizeName::Imagenet) => Normalization::imagenet(),
        Normalize::Named(NormalizeName::Data) => channel_statistics(train.as_ref(), data.bad_images)?,
        Normalize::Given { mean, std } => Normalization {
            mean: mean.clone(),
            std: std.clone(),
        },
    };
    Ok(Sources {
        train,
        test,
        classes,
        format: splits.format,
        normalization,
        skipped,
    })
}

/// Names of the classes. Several labels an image, or none, are nothing that a probe could be judged by.
fn classes(source: &dyn ImageSource) -> Vec<String> {
    let labelled = !source.is_empty() && source.label(0).is_some();
    if labelled {
        source.classes().to_vec()
    } else {
        Vec::new()
    }
}

/// Test images beside class folders, without classes of their own, cannot be judged.
fn can_be_judged(test: &dyn ImageSource, classes: &[String]) -> bool {
    classes.is_empty() || (!test.is_empty() && test.label(0).is_some())
}

/// So many images of a set, spread evenly over it.
fn some_of(source: Arc<dyn ImageSource>, wanted: Option<usize>) -> Result<Arc<dyn ImageSource>, SourceError> {
    let found = source.len();
    match wanted {
        Some(wanted) if wanted > found => Err(SourceError::TooFew { wanted, found }),
        Some(wanted) if wanted < found => {
            let spread = (0..wanted).map(|index| index * found / wanted);
            Ok(Arc::new(Subset::new(source, spread.collect())))
        }
        _ => Ok(source),
    }
}

/// A digest of the names and labels of a set, in their order. Not of the files: that would be a look at each of a million.
fn fingerprint(source: &dyn ImageSource) -> String {
    let mut hasher = blake3::Hasher::new();
    for class in source.classes() {
        hasher.update(class.as_bytes()).update(&[0]);
    }
    for index in 0..source.len() {
        hasher.update(source.name(index).as_bytes()).update(&[0]);
        for label in source.labels(index) {
            hasher.update(&(label as u64).to_le_bytes());
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::RgbImage8;
    use barlow_data::MemorySet;

    #[test]
    fn a_part_of_a_set_has_all_its_classes() {
        let grey = |value: u8| RgbImage8::from_fn(1, 1, |_, _| [value; 3]).into();
        let labels = (0..20).map(|index| index / 5).collect();
        let classes = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let set: Arc<dyn ImageSource> = Arc::new(MemorySet::new((0..20).map(grey).collect(), Some(labels), classes));
        let some = some_of(set.clone(), Some(8)).unwrap();
        let labels: Vec<_> = (0..8).map(|index| some.label(index).unwrap()).collect();
        assert_eq!(labels, [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(some_of(set.clone(), None).unwrap().len(), 20);
        assert_eq!(some_of(set.clone(), Some(20)).unwrap().len(), 20);
        assert!(matches!(
            some_of(set, Some(21)),
            Err(SourceError::TooFew { wanted: 21, found: 20 })
        ));
    }
}
