//! MNIST and related sets (Fashion-MNIST, KMNIST, EMNIST): pairs of IDX files, read once and held in memory as bytes.
//!
//! This file must not know how an IDX file is laid out.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::{Image8, MAX_SIDE, PlanarImage8, RgbImage8};

use super::files::open_file;
use super::{IdxArray, IdxFault, IdxType, MAX_IDX_BYTES, SetError, Split};
use crate::{DataError, ImageSource};

/// Maximal number of classes of a set: labels are integers, and a damaged one must not create billions of names.
const MAX_CLASSES: usize = 1 << 16;

/// One split of an IDX set in memory. Classes are named by their numbers.
#[derive(Clone)]
pub struct IdxSet {
    /// Requested number of channels.
    channels: usize,
    /// Stored number of channels.
    stored: usize,
    width: usize,
    height: usize,
    classes: Vec<String>,
    labels: Vec<usize>,
    /// `[N, height, width, stored]`.
    pixels: Vec<u8>,
    name: &'static str,
}

impl IdxSet {
    /// Reads one split: `train-images-idx3-ubyte` with `train-labels-idx1-ubyte`, or `t10k-..`, each also with `.gz` or
    /// with a dot before `idx`. Images of 1, 3 or 4 channels can be returned with any of these numbers, images of any other
    /// number only with that number. The largest training label determines the number of classes.
    ///
    /// # Errors
    /// [`SetError::MissingPart`] for a file that is not there, [`SetError::Idx`] for a damaged one,
    /// [`SetError::Channels`], [`DataError::MissingFolder`], [`DataError::Read`].
    pub fn open(root: impl AsRef<Path>, split: Split, channels: usize) -> Result<Self, DataError> {
        let root = root.as_ref();
        if !root.is_dir() {
            return Err(DataError::MissingFolder { path: root.into() });
        }
        let root = &find_folder(root)?;
        let train_labels = part(root, Split::Train, Kind::Labels)?;
        let images = part(root, split, Kind::Images)?;
        let (labels, classes) = if split == Split::Train {
            read_labels(&train_labels, None)?
        } else {
            let (_, classes) = read_labels(&train_labels, None)?;
            read_labels(&part(root, split, Kind::Labels)?, Some(classes))?
        };
        let fault = |fault| {
            DataError::Set(SetError::Idx {
                path: images.clone(),
                fault,
            })
        };
        let array = read_array(&images)?;
        let (height, width, stored) = match array.dims[..] {
            [_, height, width] => (height, width, 1),
            [_, height, width, stored] => (height, width, stored),
            _ => (0, 0, 0),
        };
        let sides = 1..=MAX_SIDE;
        if array.data.is_empty() || array.kind != IdxType::U8 || !sides.contains(&height) || !sides.contains(&width) {
            return Err(fault(IdxFault::NotImages { dims: array.dims }));
        }
        if labels.len() != array.dims[0] {
            return Err(fault(IdxFault::Count {
                labels: labels.len(),
                images: array.dims[0],
            }));
        }
        let set = Self {
            channels,
            stored,
            width,
            height,
            classes: (0..classes).map(|class| class.to_string()).collect(),
            labels,
            pixels: array.data,
            name: if split == Split::Train { "train" } else { "test" },
        };
        set.cut(0)
            .into_channels(channels)
            .map_err(|reason| SetError::Channels {
                what: images.display().to_string(),
                reason,
            })?;
        Ok(set)
    }

    /// Both splits; no test split if all its files are missing.
    ///
    /// # Errors
    /// As [`IdxSet::open`].
    pub fn open_splits(root: impl AsRef<Path>, channels: usize) -> Result<(Self, Option<Self>), DataError> {
        let root = &find_folder(root.as_ref())?;
        let train = Self::open(root, Split::Train, channels)?;
        let has_test = [Kind::Images, Kind::Labels]
            .iter()
            .any(|&kind| find(root, Split::Test, kind).is_some());
        let test = has_test.then(|| Self::open(root, Split::Test, channels));
        Ok((train, test.transpose()?))
    }

    /// Whether `root` holds files of such a set, or the folders that torchvision keeps them in: `raw` or `MNIST/raw`.
    #[must_use]
    pub fn is_at(root: &Path) -> bool {
        !folders(root).is_empty()
    }

    /// Image `index` as it is stored.
    fn cut(&self, index: usize) -> Image8 {
        let bytes = self.width * self.height * self.stored;
        let pixels = &self.pixels[index * bytes..][..bytes];
        if self.stored == 3 {
            return RgbImage8::new(self.width, self.height, pixels.to_vec()).into();
        }
        let plane = |channel| pixels.iter().skip(channel).step_by(self.stored).copied();
        let planes = (0..self.stored).flat_map(plane).collect();
        PlanarImage8::new(self.stored, self.width, self.height, planes).into()
    }
}

impl ImageSource for IdxSet {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(self.labels[index])
    }

    /// The split and the number in it, such as `test#17`.
    fn name(&self, index: usize) -> String {
        assert!(index < self.len(), "image {index} of a set of {}", self.len());
        format!("{}#{index}", self.name)
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        assert!(index < self.len(), "image {index} of a set of {}", self.len());
        let image = self.cut(index).into_channels(self.channels);
        Ok(Arc::new(
            image.expect("the channels were checked when the set was opened"),
        ))
    }
}

/// A folder with more entries than this is not searched: they are images or classes of another format.
const MAX_ENTRIES: usize = 100;

/// The folders of such sets: `root` itself, its `raw`, or the `raw` of the folders in it.
fn folders(root: &Path) -> Vec<PathBuf> {
    let has_files = |folder: &Path| {
        let kinds = [Kind::Images, Kind::Labels];
        kinds.iter().any(|&kind| find(folder, Split::Train, kind).is_some())
    };
    for own in [root.to_owned(), root.join("raw")] {
        if has_files(&own) {
            return vec![own];
        }
    }
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut below: Vec<PathBuf> = entries
        .take(MAX_ENTRIES + 1)
        .map(|entry| entry.path().join("raw"))
        .collect();
    if below.len() > MAX_ENTRIES {
        return Vec::new();
    }
    below.retain(|raw| has_files(raw));
    below.sort();
    below
}

/// The only folder of such a set; `root` if there is none, so that what is missing is named.
fn find_folder(root: &Path) -> Result<PathBuf, DataError> {
    match &folders(root)[..] {
        [] => Ok(root.into()),
        [one] => Ok(one.clone()),
        [first, second, ..] => Err(DataError::Set(SetError::Several {
            folder: root.into(),
            first: first.clone(),
            second: second.clone(),
        })),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Images,
    Labels,
}

/// Possible names of the file, the usual name first.
fn names(split: Split, kind: Kind) -> Vec<String> {
    let split = if split == Split::Train { "train" } else { "t10k" };
    let stems: &[&str] = if kind == Kind::Images {
        &["images-idx3", "images-idx4"]
    } else {
        &["labels-idx1"]
    };
    let dashed = stems.iter().map(|stem| format!("{split}-{stem}-ubyte"));
    let both = dashed.flat_map(|name| [name.clone(), name.replacen("-idx", ".idx", 1)]);
    both.flat_map(|name| [name.clone(), format!("{name}.gz")]).collect()
}

fn find(root: &Path, split: Split, kind: Kind) -> Option<PathBuf> {
    names(split, kind)
        .iter()
        .map(|name| root.join(name))
        .find(|path| path.is_file())
}

fn part(root: &Path, split: Split, kind: Kind) -> Result<PathBuf, DataError> {
    find(root, split, kind).ok_or_else(|| {
        DataError::Set(SetError::MissingPart {
            folder: root.into(),
            file: format!("{} (or .gz)", names(split, kind)[0]),
            set: "an IDX set",
        })
    })
}

fn read_array(path: &Path) -> Result<IdxArray, DataError> {
    let file = open_file(path, MAX_IDX_BYTES)?;
    IdxArray::read(BufReader::new(file)).map_err(|fault| {
        DataError::Set(SetError::Idx {
            path: path.into(),
            fault,
        })
    })
}

/// Labels, and the number of classes: the given one, or one more than the largest label.
fn read_labels(path: &Path, classes: Option<usize>) -> Result<(Vec<usize>, usize), DataError> {
    let array = read_array(path)?;
    let fault = |fault| {
        DataError::Set(SetError::Idx {
            path: path.into(),
            fault,
        })
    };
    if array.dims.len() != 1 {
        return Err(fault(IdxFault::NotLabels { dims: array.dims }));
    }
    let limit = classes.unwrap_or(MAX_CLASSES);
    let label = |(index, label): (usize, i64)| match usize::try_from(label) {
        Ok(label) if label < limit => Ok(label),
        _ => Err(fault(IdxFault::Label {
            index,
            label,
            classes: limit,
        })),
    };
    let labels = array
        .values()
        .enumerate()
        .map(label)
        .collect::<Result<Vec<usize>, DataError>>()?;
    let found = labels.iter().max().map_or(0, |largest| largest + 1);
    Ok((labels, classes.unwrap_or(found)))
}
