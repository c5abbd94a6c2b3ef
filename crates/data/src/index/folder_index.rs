//! [`FolderIndex`], a compact list of the images of a folder: a million images take some 30 MB.
//!
//! Order is part of the contract (sample numbers key the random draws): folders by path, files by name within, each
//! compared by the bytes of its composed form. This file must not read the disk.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::names::Names;
use crate::DataError;
use crate::path_names::{by_name, class_name};

/// The layout of images below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderLayout {
    /// Directly in the folder: no labels.
    Flat,
    /// In one folder for each class, or in folders below it.
    Classes,
    /// In folders of folders, such as photos by year and month: no labels.
    Nested,
}

/// The images below a folder: their names, folder by folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderIndex {
    layout: FolderLayout,
    /// Folders above those of the classes in each folder's path: 1 of `images/CLASS`.
    prefix: usize,
    /// Path of each folder below the root; a single one for a flat set, usually empty.
    folders: Names,
    /// Names of the images in each folder.
    files: Vec<Names>,
    /// Index of the first image of each folder, and the number of all images.
    starts: Vec<usize>,
}

impl FolderIndex {
    /// Creates an index from names that are known without listing a folder. Each item is the path of a folder below the root
    /// (empty for the root itself) and the names of its images, both in any order.
    ///
    /// # Errors
    /// [`DataError::NameNotUnicode`] for a name that is valid in this system's paths and cannot be stored in the index.
    pub fn new<F, I, N>(layout: FolderLayout, folders: impl IntoIterator<Item = (F, I)>) -> Result<Self, DataError>
    where
        F: Into<OsString>,
        I: IntoIterator<Item = N>,
        N: AsRef<OsStr>,
    {
        let mut parts = Vec::new();
        for (folder, files) in folders {
            let (folder, mut names) = (folder.into(), Names::default());
            for file in files {
                if !names.push(file.as_ref()) {
                    let path = Path::new(&folder).join(file.as_ref());
                    return Err(DataError::NameNotUnicode { path });
                }
            }
            parts.push((PathBuf::from(folder), names.sorted()));
        }
        parts.sort_by(|(a, _), (b, _)| by_name(a, b));
        Self::from_sorted(layout, 0, parts)
    }

    /// As [`FolderIndex::new`], from sorted parts.
    pub(crate) fn from_sorted(
        layout: FolderLayout,
        prefix: usize,
        parts: Vec<(PathBuf, Names)>,
    ) -> Result<Self, DataError> {
        let (mut folders, mut files) = (Names::default(), Vec::with_capacity(parts.len()));
        for (path, names) in parts {
            if !folders.push(path.as_os_str()) {
                return Err(DataError::NameNotUnicode { path });
            }
            files.push(names);
        }
        Ok(Self::from_names(layout, prefix, folders, files))
    }

    pub(crate) fn from_names(layout: FolderLayout, prefix: usize, folders: Names, files: Vec<Names>) -> Self {
        assert_eq!(folders.len(), files.len(), "folders and lists of files");
        let mut starts = vec![0];
        starts.extend(files.iter().scan(0, |total, names| {
            *total += names.len();
            Some(*total)
        }));
        Self {
            layout,
            prefix,
            folders,
            files,
            starts,
        }
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts[self.files.len()]
    }

    /// Whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The layout of the images.
    #[must_use]
    pub fn layout(&self) -> FolderLayout {
        self.layout
    }

    /// Path of image `index` below the root.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn path(&self, index: usize) -> PathBuf {
        let folder = self.folder(index);
        Path::new(self.folders.get(folder)).join(self.files[folder].get(index - self.starts[folder]))
    }

    /// Index of the folder that holds image `index`.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn folder(&self, index: usize) -> usize {
        assert!(index < self.len(), "image {index} of a set of {}", self.len());
        // The last folder that starts at or before it: empty folders start where the next one does.
        self.starts.partition_point(|&start| start <= index) - 1
    }

    /// Name of the class of each folder, in composed form; a folder above those of the classes has an empty one.
    pub(crate) fn class_names(&self) -> impl ExactSizeIterator<Item = String> {
        self.folders.iter().map(|folder| {
            let class = Path::new(folder).iter().nth(self.prefix);
            class.map(class_name).unwrap_or_default()
        })
    }

    /// Folders above those of the classes.
    pub(crate) fn prefix(&self) -> usize {
        self.prefix
    }

    /// Paths of the folders below the root.
    pub(crate) fn folders(&self) -> &Names {
        &self.folders
    }

    /// Names of each folder's images.
    pub(crate) fn files(&self) -> &[Names] {
        &self.files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_across_empty_folders() {
        let folders = [("c", vec!["2", "1"]), ("b", vec![]), ("a", vec!["x"]), ("d", vec![])];
        let index = FolderIndex::new(FolderLayout::Classes, folders).unwrap();
        let all: Vec<_> = (0..index.len()).map(|i| (index.folder(i), index.path(i))).collect();
        assert_eq!(all, [(0, "a/x".into()), (2, "c/1".into()), (2, "c/2".into())]);
        let none = FolderIndex::new::<&str, [&str; 0], &str>(FolderLayout::Flat, []).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    #[should_panic(expected = "image 1 of a set of 1")]
    fn an_image_past_the_end_panics_with_both() {
        let _ = FolderIndex::new(FolderLayout::Flat, [("", ["x"])]).unwrap().path(1);
    }
}
