//! Opens the images of a config: where the data set is, how it is read, what its pixels are normalised with.

use super::image_cache::ImageCache;
use super::images::{classes, evaluated};
use super::{SourceError, Sources};
use crate::cache_folder::cache_folder;
use crate::config::{Config, DataConfig, Normalize, NormalizeName, locate_data};
use barlow_augment::Normalization;
use barlow_data::{
    ImageSource, IndexCache, IndexNote, Joined, LeftOut, OpenOptions, Skipped, Splits, Subset, channel_statistics,
    hold_out,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// Opens the data set and caches its images as the config says. `say` prints lines for the user; nothing is written
/// unless `may_write`.
///
/// # Errors
/// [`SourceError`].
pub fn open(config: &Config, may_write: bool, say: &dyn Fn(&str)) -> Result<Sources, SourceError> {
    let data = &config.data;
    let (root, mut splits) = read(config, may_write, say)?;
    let classes = classes(splits.train.as_ref());
    // The name of its cache: each part of a set has its own.
    let (mut train_name, mut test_name) = ("train".to_owned(), "test".to_owned());
    if let Some(fraction) = data.holdout {
        let had_test = splits.test.is_some();
        let seed = config.run.seed;
        let parts = hold_out(&splits.train, fraction, seed)?;
        splits.train = Arc::new(parts.train);
        splits.test = Some(Arc::new(parts.test));
        let instead = if had_test {
            "; the set's own test images are not used"
        } else {
            ""
        };
        let (held_out, count) = (splits.test.as_ref().map_or(0, |test| test.len()), splits.train.len());
        let note = format!(
            "{held_out} of {} images are held out (data.holdout){instead}",
            held_out + count
        );
        say(&format!("holdout     {note}"));
        splits.notes.push(note);
        train_name = format!("train-{fraction}-{seed}");
        test_name = format!("test-{fraction}-{seed}");
    }
    let (part, notes, suffix) = part_of(splits.train, config)?;
    splits.train = part;
    splits.notes.extend(notes);
    train_name += &suffix;
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
    if let Some(count) = data.train_images {
        train_name = format!("{train_name}-{count}");
    }
    let train = cache.cached(part, &train_name, &mut skipped)?;
    let (test, unlabelled_test) = evaluated(splits.test, &classes);
    let test = test
        .map(|test| cache.cached(test, &test_name, &mut skipped))
        .transpose()?;
    let normalization = normalization(config, train.as_ref())?;
    Ok(Sources {
        train,
        test,
        classes,
        format: splits.format,
        normalization,
        skipped,
        left_out: splits.left_out,
        notes: splits.notes,
        unlabelled_test,
        held_out: data.holdout,
    })
}

/// The images of `config`, whose only difference from the config of `whole` is the part of the training images that is used
/// (`data.train_fraction`, `data.train_names`); nothing is read or decoded again.
///
/// # Errors
/// [`SourceError`].
pub fn labelled_part(whole: &Sources, config: &Config, say: &dyn Fn(&str)) -> Result<Sources, SourceError> {
    if config.data.train_images.is_some() {
        // A number of images is taken of the part, not the part of them.
        return open(config, true, say);
    }
    let (train, notes, _) = part_of(Arc::clone(&whole.train), config)?;
    let mut part = Sources { train, ..whole.clone() };
    part.notes.extend(notes);
    Ok(part)
}

/// A part of the training images, what is to be noted of it, and what it adds to the name of a cache.
type Part = (Arc<dyn ImageSource>, Vec<String>, String);

/// The part of the training images that the config says.
fn part_of(mut train: Arc<dyn ImageSource>, config: &Config) -> Result<Part, SourceError> {
    let (mut notes, mut name) = (Vec::new(), String::new());
    if let Some(fraction) = config.data.train_fraction {
        let (seed, whole) = (config.run.seed, train.len());
        // What is held out of the rest is the part that is used.
        train = Arc::new(hold_out(&train, fraction, seed)?.test);
        notes.push(format!(
            "{} of {whole} training images are used (data.train_fraction)",
            train.len()
        ));
        name += &format!("-of-{fraction}-{seed}");
    }
    if let Some(list) = &config.data.train_names {
        train = Arc::new(named(&train, list)?);
        notes.push(format!("{} training images are used (data.train_names)", train.len()));
        name += &format!("-names-{}", blake3::hash(list.as_os_str().as_encoded_bytes()).to_hex());
    }
    Ok((train, notes, name))
}

/// Every image of the config's data set, whatever its splits are, in the order of the names, and the statistics that pixels are
/// normalised with. Nothing is cached.
///
/// # Errors
/// [`SourceError`].
pub fn open_all(config: &Config, say: &dyn Fn(&str)) -> Result<AllImages, SourceError> {
    let (_, splits) = read(config, true, say)?;
    let normalization = normalization(config, splits.train.as_ref())?;
    let images = std::iter::once(splits.train).chain(splits.test);
    let images = splits.folders.into_iter().zip(images).collect();
    Ok(AllImages {
        images: Joined::new(images),
        normalization,
        left_out: splits.left_out,
    })
}

/// Every image of a data set.
pub struct AllImages {
    /// The images, sorted by name.
    pub images: Joined,
    /// Statistics that pixels are normalised with.
    pub normalization: Normalization,
    /// Files, folders and lines of the data set that are not among the images.
    pub left_out: LeftOut,
}

/// Finds and reads the data set of the config; prints how it was read.
fn read(config: &Config, may_write: bool, say: &dyn Fn(&str)) -> Result<(PathBuf, Splits), SourceError> {
    let root = locate_data(&config.data.path)?;
    let data = &config.data;
    let index_cache = cache_folder()
        .filter(|_| may_write)
        .map(|folder| IndexCache::new(folder.join("index")));
    let splits = Splits::open(&root, &options(data, config.model.in_channels, index_cache))?;
    for note in &splits.index {
        if *note != IndexNote::Small {
            say(&format!("index       {note}"));
        }
    }
    for note in &splits.notes {
        say(&format!("layout      {note}"));
    }
    // The caller warns of it where images may be missing.
    let is_warned_of = may_write && splits.left_out.is_worth_a_warning();
    if !splits.left_out.is_empty() && !is_warned_of {
        say(&format!("skipped     {}", splits.left_out));
    }
    Ok((root, splits))
}

/// The statistics that the config says, or those of `train`.
pub(crate) fn normalization(config: &Config, train: &dyn ImageSource) -> Result<Normalization, SourceError> {
    Ok(match &config.data.normalize {
        Normalize::Named(NormalizeName::Imagenet) => Normalization::imagenet(),
        Normalize::Named(NormalizeName::Data) => channel_statistics(train, config.data.bad_images)?,
        Normalize::Given { mean, std } => Normalization {
            mean: mean.clone(),
            std: std.clone(),
        },
    })
}

/// How the config says that the data set is opened.
fn options(data: &DataConfig, channels: usize, index_cache: Option<IndexCache>) -> OpenOptions {
    OpenOptions {
        format: data.format,
        channels,
        index_cache,
        train: data.train.clone(),
        test: data.test.clone(),
        list_root: data.list_root.clone(),
        // A config that was validated has no other.
        columns: data
            .columns
            .as_deref()
            .and_then(|columns| FromStr::from_str(columns).ok()),
        bad_images: data.bad_images,
    }
}

/// The images of a set that a list names, by their paths below the set's folder or by their file names, in the order of the set.
fn named(source: &Arc<dyn ImageSource>, list: &Path) -> Result<Subset, SourceError> {
    let fault = |reason: String| SourceError::Names {
        path: list.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(list).map_err(|error| fault(error.to_string()))?;
    let mut wanted: HashMap<&str, bool> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|name| (name, false))
        .collect();
    let mut indices = Vec::with_capacity(wanted.len());
    for index in 0..source.len() {
        let name = source.name(index);
        let file = name.rsplit('/').next().unwrap_or(&name);
        let key = if wanted.contains_key(name.as_str()) {
            name.as_str()
        } else {
            file
        };
        if let Some(found) = wanted.get_mut(key) {
            *found = true;
            indices.push(index);
        }
    }
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(_, found)| !**found)
        .map(|(name, _)| *name)
        .collect();
    match missing.iter().min() {
        Some(first) => Err(fault(format!(
            "{} of its {} names are no training images, such as {first}",
            missing.len(),
            wanted.len()
        ))),
        None if indices.is_empty() => Err(fault("it names no image".to_owned())),
        None => Ok(Subset::new(Arc::clone(source), indices)),
    }
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

    /// Two classes of ten images, with `more` after the config's keys of `[data]`.
    fn open_folder(root: &std::path::Path, seed: u64, more: &str) -> Result<Sources, SourceError> {
        let png = barlow_augment::encode_png(&RgbImage8::from_fn(2, 2, |_, _| [9; 3])).unwrap();
        for (class, number) in ["ant", "bee"]
            .iter()
            .flat_map(|class| (0..10).map(move |number| (class, number)))
        {
            let folder = root.join(class);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{number}.png")), &png).unwrap();
        }
        open(&config_of(root, seed, more), false, &|_| {})
    }

    fn config_of(root: &std::path::Path, seed: u64, more: &str) -> Config {
        let text = format!(
            "[run]\nseed = {seed}\n[data]\npath = {:?}\n{more}\n",
            root.display().to_string()
        );
        let config: Config = toml::from_str(&text).unwrap();
        config.validate().unwrap();
        config
    }

    #[test]
    fn a_part_of_an_open_set_is_that_which_its_config_opens() {
        let folder = tempfile::tempdir().unwrap();
        let whole = open_folder(folder.path(), 0, "").unwrap();
        let lists = tempfile::tempdir().unwrap();
        let list = lists.path().join("names.txt");
        std::fs::write(&list, "bee/3.png\nant/1.png\n").unwrap();
        let list = format!("train_names = {:?}", list.display().to_string());
        for (seed, more, images) in [
            (0, "train_fraction = 0.3", 6),
            (5, "train_fraction = 0.3", 6),
            (0, list.as_str(), 2),
        ] {
            let config = config_of(folder.path(), seed, more);
            let part = labelled_part(&whole, &config, &|_| {}).unwrap();
            let opened = open(&config, false, &|_| {}).unwrap();
            assert_eq!(part.train.len(), images, "{more}");
            assert_eq!(part.images(), opened.images(), "{more}");
            assert_eq!((part.classes, part.notes), (opened.classes, opened.notes), "{more}");
        }
        let config = config_of(folder.path(), 0, "train_fraction = 0.5\ntrain_images = 4");
        assert_eq!(labelled_part(&whole, &config, &|_| {}).unwrap().train.len(), 4);
    }

    #[test]
    fn held_out_images_are_the_test_images_and_the_same_after_resuming() {
        let folder = tempfile::tempdir().unwrap();
        let whole = open_folder(folder.path(), 0, "").unwrap();
        assert_eq!((whole.counts().train, whole.counts().test), (20, 0));
        let parts = open_folder(folder.path(), 0, "holdout = 0.2").unwrap();
        let counts = parts.counts();
        assert_eq!((counts.train, counts.test, counts.classes), (16, 4, 2));
        let names = |set: &dyn ImageSource| (0..set.len()).map(|index| set.name(index)).collect::<Vec<_>>();
        let test = parts.test.as_ref().unwrap();
        assert!(
            names(test.as_ref())
                .iter()
                .all(|name| !names(parts.train.as_ref()).contains(name))
        );
        assert_eq!(
            (0..4).map(|index| test.label(index)).collect::<Vec<_>>(),
            [Some(0), Some(0), Some(1), Some(1)]
        );
        // What a resumed run is checked against.
        let images = |seed, more: &str| open_folder(folder.path(), seed, more).unwrap().images();
        assert_eq!(images(0, "holdout = 0.2"), parts.images());
        assert_ne!(images(1, "holdout = 0.2"), parts.images());
        assert_ne!(images(0, ""), parts.images());
        // A part of the images is of those that are trained on.
        let some = open_folder(folder.path(), 0, "holdout = 0.2\ntrain_images = 6").unwrap();
        assert!(
            names(some.train.as_ref())
                .iter()
                .all(|name| names(parts.train.as_ref()).contains(name))
        );
        assert_eq!((some.counts().train, some.counts().test), (6, 4));
    }

    #[test]
    fn the_keys_of_lists_and_splits_reach_the_data_set() {
        let folder = tempfile::tempdir().unwrap();
        open_folder(folder.path(), 0, "").unwrap();
        let lists = tempfile::tempdir().unwrap();
        std::fs::write(
            lists.path().join("t.csv"),
            "kind,what,n\nx,ant/1.png,0\ny,bee/2.png,1\nx,gone.png,2\n",
        )
        .unwrap();
        let config = |more: &str| -> Config {
            let list = lists.path().join("t.csv").display().to_string();
            let root = folder.path().display().to_string();
            toml::from_str(&format!(
                "[data]\npath = {list:?}\nlist_root = {root:?}\ncolumns = \"what,kind\"\n{more}"
            ))
            .unwrap()
        };
        let error = open(&config(""), false, &|_| {}).err().unwrap().to_string();
        assert!(error.contains("line 4"), "{error}");
        let sources = open(&config("bad_images = \"skip\""), false, &|_| {}).unwrap();
        assert_eq!(
            (sources.classes, sources.train.len(), sources.left_out.is_empty()),
            (vec!["x".into(), "y".into()], 2, false)
        );
        let classes = open_folder(folder.path(), 0, "train = \"ant\"\ntest = \"bee\"").unwrap();
        assert_eq!((classes.counts().train, classes.counts().test), (10, 10));
    }
}
