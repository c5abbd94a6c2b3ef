//! The decision which folders of a data set are splits, from all that lies in it.
//!
//! A name alone decides nothing: a class may be called `train`. What stays unclear is refused, with the settings that say
//! which reading is meant; images of a test set must never be trained on in silence. This file must not list whole folders.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::EvaluationFolder;
use super::evaluation::{Evaluation, choose};
use super::peek::{Inside, Peek, holds_runs, inside, peek, standing_for};
use super::splits::{NamedSplits, paired_splits, plain_splits};
use crate::index::FolderReading;
use crate::path_names::shown;
use crate::split_names::is_beside_images;
use crate::{DataError, LeftOut, LeftOutReason};

/// Images at the top of a data set that are seen before its folders are taken to be known: an unordered listing may have a
/// million of them.
const SEEN_AT_TOP: usize = 2_000;

/// Folders within each other that hold nothing but the next, as archives are often unpacked.
const MAX_WRAPPERS: usize = 5;

/// The folders that are splits.
#[derive(Debug)]
pub(crate) struct FolderSplits {
    /// The training images.
    pub(crate) train: PathBuf,
    /// How the folders of the splits are read.
    pub(crate) reading: FolderReading,
    /// The images to evaluate on.
    pub(crate) test: Option<EvaluationFolder>,
    /// What was taken where something else was possible, a line each.
    pub(crate) notes: Vec<String>,
    /// What lies beside the splits.
    pub(crate) left_out: LeftOut,
}

/// Whether folders of `root` are splits with classes, or may be: lists next to them are not what the set is made of then.
pub(crate) fn has_splits(root: &Path) -> bool {
    match decide(root) {
        Ok(found) if found.reading == FolderReading::Split => !matches!(inside(&found.train), Ok(Inside::Images)),
        found => matches!(found, Err(DataError::UnclearFolders { .. })),
    }
}

/// Decides which folders of `root` are splits.
///
/// # Errors
/// [`DataError::UnclearFolders`] where more than one reading is possible and one of them would train on test images or lose
/// labels; [`DataError::MissingFolder`], [`DataError::NotAFolder`], [`DataError::Read`].
pub(crate) fn decide(root: &Path) -> Result<FolderSplits, DataError> {
    let (mut at, mut notes, mut is_set) = (root.to_owned(), Vec::new(), false);
    for _ in 0..MAX_WRAPPERS {
        let top = peek(&at, SEEN_AT_TOP)?;
        let decided = match decide_at(&at, &top)? {
            Decided::Splits(named, more) => {
                notes.extend(more);
                return splits(root, &at, &top, &named, notes);
            }
            Decided::Whole(more) => {
                notes.extend(more);
                whole(&at, notes)
            }
            Decided::Unknown if is_set => whole(&at, notes),
            Decided::Unknown => whole(root, Vec::new()),
        };
        let Some((below, below_is_set)) = wrapped(&at, &top)? else {
            return Ok(decided);
        };
        notes = vec![format!(
            "{}/ is taken for the data set, the only folder of images",
            shown(&relative(root, &below))
        )];
        (at, is_set) = (below, below_is_set);
    }
    Ok(whole(root, Vec::new()))
}

enum Decided {
    /// These folders are splits.
    Splits(NamedSplits, Vec<String>),
    /// The folder is one set, although names in it may be read as splits.
    Whole(Vec<String>),
    /// The folder is one set, or a folder around one.
    Unknown,
}

fn decide_at(at: &Path, top: &Peek) -> Result<Decided, DataError> {
    let plain = plain_splits(&top.folders);
    if let [first, second, ..] = &plain.train[..] {
        return Err(two_trains(at, first, second));
    }
    if plain.is_pair() {
        return Ok(Decided::Splits(plain, Vec::new()));
    }
    let named = plain.train.first().or(plain.test.first()).or(plain.val.first());
    if let Some(named) = named.cloned() {
        return alone(at, top, plain, &named);
    }
    let pairs = paired_splits(&top.folders);
    let trains: Vec<&OsString> = pairs.iter().flat_map(|splits| &splits.train).collect();
    match (&trains[..], &pairs[..]) {
        ([first, second, ..], _) => Err(two_trains(at, first, second)),
        (_, [one]) => Ok(Decided::Splits(one.clone(), Vec::new())),
        _ => Ok(Decided::Unknown),
    }
}

fn two_trains(at: &Path, first: &OsString, second: &OsString) -> DataError {
    let (first, second) = (first.to_string_lossy(), second.to_string_lossy());
    DataError::UnclearFolders {
        path: at.into(),
        reason: format!("{first}/ and {second}/ may both hold the training images"),
        example: format!("--set data.train={first}"),
    }
}

/// Decides about a folder called like a split whose counterpart is not there: it may as well be a class.
fn alone(at: &Path, top: &Peek, plain: NamedSplits, named: &OsString) -> Result<Decided, DataError> {
    let is_other = |name: &&OsString| !plain.contains(name) && !is_beside_images(name) && !holds_runs(&at.join(name));
    let others: Vec<&OsString> = top.folders.iter().filter(is_other).collect();
    let (mut flat, mut has_more) = (0, false);
    for other in &others {
        match inside(&at.join(other))? {
            Inside::Images => flat += 1,
            Inside::Folders(_) => has_more = true,
            Inside::Nothing => {}
        }
    }
    has_more |= flat > 0;
    let is_train = !plain.train.is_empty();
    let is_flat = holds_images(at, named)?;
    let name = named.to_string_lossy();
    let other = others.first().map(|other| other.to_string_lossy()).unwrap_or_default();
    // Side by side with class folders, it is one more class.
    if is_flat && flat >= 2 {
        let what = if is_train { "train" } else { "test" };
        return Ok(Decided::Whole(vec![format!(
            "{name}/ is read as a class like {other}/; if it is a split, name it with data.{what}"
        )]));
    }
    let (reason, example) = match (is_train, has_more) {
        (true, false) => return Ok(Decided::Splits(plain, Vec::new())),
        (true, true) if !is_flat && flat < 2 => return Ok(Decided::Splits(plain, Vec::new())),
        (true, true) => (
            format!("{name}/ may hold the training images or be a class like {other}/"),
            format!("--set data.train={name} or, for classes, --set data.train=."),
        ),
        (false, true) => (
            format!("{name}/ may hold test images or be a class, and no folder is called train"),
            format!("--set data.train=DIR --set data.test={name} or, for classes, --set data.train=."),
        ),
        (false, false) => (
            format!("{name}/ looks like test images, and no folder is called train"),
            format!("--set data.train={name} to train on them"),
        ),
    };
    Err(DataError::UnclearFolders {
        path: at.into(),
        reason,
        example,
    })
}

/// Whether images lie directly in a folder, or in a folder of images that stands for it.
fn holds_images(at: &Path, name: &OsString) -> Result<bool, DataError> {
    Ok(matches!(inside(&at.join(name))?, Inside::Images))
}

/// The folder in which the set may be: the only one, or the one of images next to labels; and whether it is a set.
fn wrapped(at: &Path, top: &Peek) -> Result<Option<(PathBuf, bool)>, DataError> {
    if top.image.is_some() {
        return Ok(None);
    }
    let standing = standing_for(at, &top.folders);
    let below = match (&sets(at, &top.folders)[..], standing) {
        (_, Some(below)) => below,
        ([only], None) => at.join(only),
        _ => return Ok(None),
    };
    let inner = peek(&below, 1)?;
    if inner.image.is_some() {
        return Ok(None);
    }
    // A folder around splits, or around two classes or more; a single folder below may as well be photos by month.
    let mut classes = 0;
    for name in &inner.folders {
        classes += usize::from(peek(&below.join(name), 1)?.image.is_some());
    }
    let is_set = classes >= 2 || plain_splits(&inner.folders).is_pair() || !paired_splits(&inner.folders).is_empty();
    let goes_on = sets(&below, &inner.folders).len() == 1 && classes == 0;
    Ok((is_set || goes_on).then_some((below, is_set)))
}

/// The folders that may be a set: neither runs nor what lies beside images. More than a few are classes, and none is looked into.
fn sets(at: &Path, folders: &[OsString]) -> Vec<OsString> {
    match folders.len() {
        0..=8 => {
            let may_be = |name: &&OsString| !is_beside_images(name) && !holds_runs(&at.join(name));
            folders.iter().filter(may_be).cloned().collect()
        }
        _ => folders.to_vec(),
    }
}

fn whole(at: &Path, notes: Vec<String>) -> FolderSplits {
    FolderSplits {
        train: at.into(),
        reading: FolderReading::Detected,
        test: None,
        notes,
        left_out: LeftOut::default(),
    }
}

/// The splits that were found, and which of several is evaluated on.
fn splits(
    root: &Path,
    at: &Path,
    top: &Peek,
    named: &NamedSplits,
    mut notes: Vec<String>,
) -> Result<FolderSplits, DataError> {
    let train = at.join(&named.train[0]);
    let candidates: Vec<PathBuf> = named.test.iter().chain(&named.val).map(|name| at.join(name)).collect();
    let Evaluation {
        folder: test,
        notes: more,
    } = choose(root, &train, &candidates)?;
    if let Some(test) = &test
        && !(named.train[0] == "train" && [at.join("test"), at.join("val")].contains(&test.path))
    {
        let of = |path: &Path| shown(&relative(root, path));
        notes.push(format!(
            "{}/ is trained on and {}/ evaluated on",
            of(&train),
            of(&test.path)
        ));
    }
    notes.extend(more);
    let mut left_out = LeftOut::default();
    let beside = |name: &OsString| shown(&relative(root, &at.join(name)));
    for name in top.folders.iter().filter(|name| !named.contains(name)) {
        left_out.add(LeftOutReason::OtherFolder, beside(name));
    }
    if let Some(image) = &top.image {
        left_out.add(LeftOutReason::LooseImage, beside(image));
    }
    Ok(FolderSplits {
        train,
        reading: FolderReading::Split,
        test,
        notes,
        left_out,
    })
}

/// A path below the root, for messages.
pub(super) fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).into()
}
