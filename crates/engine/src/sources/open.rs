//! Opens the images of a config: where the data set is, how it is read, what its pixels are normalised with.

use super::image_cache::ImageCache;
use super::images::{can_be_evaluated, classes};
use super::{SourceError, Sources};
use crate::cache_folder::cache_folder;
use crate::config::{Config, Normalize, NormalizeName, locate_data};
use barlow_augment::Normalization;
use barlow_data::{ImageSource, IndexCache, IndexNote, OpenOptions, Skipped, Splits, Subset, channel_statistics};
use std::sync::Arc;

/// Opens the data set and caches its images as the config says. `say` prints lines for the user; nothing is written
/// unless `may_write`.
///
/// # Errors
/// [`SourceError`].
pub fn open(config: &Config, may_write: bool, say: &dyn Fn(&str)) -> Result<Sources, SourceError> {
    let root = locate_data(&config.data.path)?;
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
    let cache = ImageCache {
        cache: data.cache,
        bad_images: data.bad_images,
        format: splits.format,
        root: &root,
        may_write,
        say,
    };
    let mut skipped = Skipped::default();
    let part = some_of(splits.train, data.train_images)?;
    // Each part of a set has its own cache.
    let name = data
        .train_images
        .map_or("train".to_owned(), |count| format!("train-{count}"));
    let train = cache.cached(part, &name, &mut skipped)?;
    let test = splits.test.filter(|test| can_be_evaluated(test.as_ref(), &classes));
    let test = test.map(|test| cache.cached(test, "test", &mut skipped)).transpose()?;
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

/// The given number of images of a set, spread evenly over it.
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
