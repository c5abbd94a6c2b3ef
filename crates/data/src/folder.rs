//! A folder of images: one folder per class, or images alone. Lists files, reads one when asked.
//!
//! Order is part of the contract (sample numbers key the random draws): classes by name, files by name within, each
//! compared byte by byte. Opening decodes nothing. This file must not know splits or batches.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::{DecodeError, Image8, decode_channels};

use crate::error::panic_message;
use crate::{DataError, ImageSource, LabelledImage};

/// File name extensions that make a file an image, in any case of letters.
pub const IMAGE_EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// Largest file that is read, in bytes: beyond it lies a mistake, not a photograph.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// The images below one folder.
#[derive(Debug, Clone)]
pub struct ImageFolder {
    root: PathBuf,
    channels: usize,
    classes: Vec<String>,
    items: Vec<Item>,
}

#[derive(Debug, Clone)]
struct Item {
    path: PathBuf,
    label: Option<usize>,
}

impl ImageFolder {
    /// Lists `root/CLASS/*.jpg` (a set with labels) or `root/*.jpg` (without). Hidden files and other kinds of files
    /// are ignored; a file is judged by its name here, by its content when it is read. Images are given with `channels`
    /// channels: 1, 3 or 4 ([`decode_channels`]).
    ///
    /// # Errors
    /// [`DataError`] when the folder is missing, is none, holds no image, holds images beside folders, or has a class
    /// folder without images.
    pub fn open(root: impl AsRef<Path>, channels: usize) -> Result<Self, DataError> {
        let root = root.as_ref();
        let top = list(root)?;
        if let (Some(image), Some(folder)) = (top.images.first(), top.folders.first()) {
            return Err(DataError::MixedFolder {
                path: root.into(),
                image: name_of(image),
                folder: name_of(folder),
            });
        }
        let mut items: Vec<Item> = top.images.into_iter().map(|path| Item { path, label: None }).collect();
        let mut empty = None;
        for (label, folder) in top.folders.iter().enumerate() {
            let images = list(folder)?.images;
            if images.is_empty() {
                empty = empty.or(Some(folder.clone()));
            }
            items.extend(images.into_iter().map(|path| Item {
                path,
                label: Some(label),
            }));
        }
        if items.is_empty() {
            return Err(DataError::NoImages { path: root.into() });
        }
        if let Some(path) = empty {
            return Err(DataError::EmptyClass { path });
        }
        Ok(Self {
            root: root.into(),
            channels,
            classes: top.folders.iter().map(|folder| name_of(folder)).collect(),
            items,
        })
    }

    /// The folder it was opened from.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Names of the classes in order; empty for a folder without class folders. There may be a single one.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Never true: a folder without images does not open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// File of image `index`.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn path(&self, index: usize) -> &Path {
        &self.items[index].path
    }

    /// Class of image `index`, `None` without class folders.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn label(&self, index: usize) -> Option<usize> {
        self.items[index].label
    }

    /// The same images with labels that count in `classes`.
    ///
    /// # Errors
    /// [`DataError::UnknownClass`] when a class of this folder is not among them.
    pub(crate) fn with_classes(mut self, classes: &[String]) -> Result<Self, DataError> {
        let mut new_labels = Vec::with_capacity(self.classes.len());
        for class in &self.classes {
            let Some(label) = classes.iter().position(|known| known == class) else {
                let shown: Vec<&str> = classes.iter().take(10).map(String::as_str).collect();
                let more = if classes.len() > shown.len() { ", .." } else { "" };
                let known = if classes.is_empty() {
                    "none".into()
                } else {
                    format!("{}{more}", shown.join(", "))
                };
                return Err(DataError::UnknownClass {
                    path: self.root,
                    class: class.clone(),
                    known,
                });
            };
            new_labels.push(label);
        }
        for item in &mut self.items {
            item.label = item.label.map(|label| new_labels[label]);
        }
        self.classes = classes.to_vec();
        Ok(self)
    }

    fn read(&self, index: usize) -> Result<Image8, DataError> {
        let path = self.path(index);
        let read_error = |source| DataError::Read {
            path: path.into(),
            source,
        };
        let size = fs::metadata(path).map_err(read_error)?.len();
        if size > MAX_FILE_BYTES {
            let reason = DecodeError::Damaged(format!("{size} bytes are over the limit of {MAX_FILE_BYTES}"));
            return Err(DataError::BadImage {
                path: path.into(),
                reason,
            });
        }
        let bytes = fs::read(path).map_err(read_error)?;
        // A decoder that panics on a hostile file must not take a long run with it.
        let decoded = std::panic::catch_unwind(|| decode_channels(&bytes, self.channels)).unwrap_or_else(|payload| {
            Err(DecodeError::Damaged(format!(
                "the decoder panicked: {}",
                panic_message(&*payload)
            )))
        });
        decoded.map_err(|reason| DataError::BadImage {
            path: path.into(),
            reason,
        })
    }
}

impl ImageSource for ImageFolder {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.items[index].label
    }

    fn name(&self, index: usize) -> String {
        let path = self.path(index);
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        below
            .iter()
            .map(|part| part.to_string_lossy())
            .collect::<Vec<_>>()
            .join("/")
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        self.read(index).map(Arc::new)
    }
}

/// For Burn's own loaders. Items are results, because `get` has no other way to report a bad file.
impl burn_dataset::Dataset<Result<LabelledImage, DataError>> for ImageFolder {
    fn get(&self, index: usize) -> Option<Result<LabelledImage, DataError>> {
        let label = self.items.get(index)?.label;
        Some(self.read(index).map(|image| LabelledImage { image, label, index }))
    }

    fn len(&self) -> usize {
        self.items.len()
    }
}

/// What lies directly in a folder, sorted by name.
struct Listing {
    images: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

fn list(folder: &Path) -> Result<Listing, DataError> {
    let read_error = |source| DataError::Read {
        path: folder.into(),
        source,
    };
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(DataError::NotAFolder { path: folder.into() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DataError::MissingFolder { path: folder.into() });
        }
        Err(error) => return Err(read_error(error)),
    }
    let mut listing = Listing {
        images: Vec::new(),
        folders: Vec::new(),
    };
    for entry in fs::read_dir(folder).map_err(read_error)? {
        let path = entry.map_err(read_error)?.path();
        if name_of(&path).starts_with('.') {
            continue;
        }
        // Links are followed. A broken one is listed by its name, so that it is reported and not lost; pipes and
        // devices are not, because reading them may never end.
        let kind = fs::metadata(&path).map(|metadata| metadata.file_type());
        if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
            listing.folders.push(path);
        } else if kind.as_ref().map_or(true, fs::FileType::is_file) && has_image_extension(&path) {
            listing.images.push(path);
        }
    }
    listing.images.sort();
    listing.folders.sort();
    Ok(listing)
}

fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        IMAGE_EXTENSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension))
    })
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
