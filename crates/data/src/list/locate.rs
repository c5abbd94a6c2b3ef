//! Where the files of a list are: the folders and extensions that a path is tried with.
//!
//! This file must not know the grammar of a list.

use std::path::{Path, PathBuf};

use super::labels::wordnet_id;
use crate::extensions::IMAGE_EXTENSIONS;
use crate::split_names::role_of;

/// Where a path was found: the numbers of the folder, of the form of the path, and of the extension.
pub(super) type Place = (usize, usize, usize);

/// The folders that paths of a list may begin at.
#[derive(Debug)]
pub(super) struct Locator {
    /// What all others are relative to.
    pub(super) root: PathBuf,
    /// Below the root, or absolute.
    bases: Vec<PathBuf>,
    extensions: Vec<String>,
}

impl Locator {
    /// Paths begin at `root` or at the list's own folder. Without a root, also at `images/`, `train/` or the list's own name in
    /// that folder or in the one above it, as in `meta/train.txt` next to `train/` or `images/`.
    pub(super) fn new(list: &Path, root: Option<&Path>) -> Self {
        let folder = list.parent().unwrap_or(Path::new(""));
        let mut extensions = vec![String::new()];
        for extension in IMAGE_EXTENSIONS {
            extensions.extend([format!(".{extension}"), format!(".{}", extension.to_uppercase())]);
        }
        let bases = match root {
            // Absolute, so that it can be joined to any root.
            Some(_) => vec![
                PathBuf::new(),
                std::path::absolute(folder_or_dot(folder)).unwrap_or(folder.into()),
            ],
            None => {
                let stem = list
                    .file_stem()
                    .filter(|stem| role_of(stem).is_some_and(|role| role.is_plain()));
                let names: Vec<&Path> = stem
                    .map(Path::new)
                    .into_iter()
                    .chain(["images", "train"].map(Path::new))
                    .collect();
                let at = |above: &Path| -> Vec<PathBuf> { names.iter().map(|name| above.join(name)).collect() };
                let mut bases = vec![PathBuf::new()];
                bases.extend(at(Path::new("")));
                bases.push("..".into());
                bases.extend(at(Path::new("..")));
                bases.retain(|base| folder_or_dot(folder).join(base).is_dir());
                bases
            }
        };
        Self {
            root: root.unwrap_or(folder).into(),
            bases,
            extensions,
        }
    }

    /// The file of a path below the root, or absolute: at `hint` or else at the first place that has one.
    pub(super) fn find(&self, path: &str, hint: Option<Place>) -> Option<(PathBuf, Place)> {
        let forms = forms(path);
        if let Some(place) = hint.and_then(|hint| self.at(&forms, hint)) {
            return Some(place);
        }
        for base in 0..self.bases.len() {
            for form in 0..forms.len() {
                for extension in 0..self.extensions.len() {
                    if let Some(place) = self.at(&forms, (base, form, extension)) {
                        return Some(place);
                    }
                }
            }
        }
        None
    }

    fn at(&self, forms: &[PathBuf], (base, form, extension): Place) -> Option<(PathBuf, Place)> {
        let mut below = self.bases[base].join(forms.get(forms.len().checked_sub(1 + form)?)?);
        let ending = &self.extensions[extension];
        if !ending.is_empty() {
            // A path with an extension of its own needs no other.
            if crate::extensions::has_image_extension(&below) {
                return None;
            }
            let mut name = below.into_os_string();
            name.push(ending);
            below = name.into();
        }
        let is_file = self.root.join(&below).metadata().is_ok_and(|file| file.is_file());
        is_file.then_some((below, (base, form, extension)))
    }

    /// The places where a path was tried, for a message.
    pub(super) fn tried(&self, path: &str) -> String {
        let in_first = forms(path).into_iter().rev().map(|form| self.root.join(form));
        let others = self.bases.iter().skip(1).map(|base| self.root.join(base).join(path));
        let mut shown: Vec<String> = in_first
            .chain(others)
            .map(|place| place.display().to_string())
            .collect();
        // For an absolute path all are the same.
        shown.dedup();
        shown.join(", ")
    }
}

/// Forms of a path, the last one first tried: ImageNet's files by their names alone lie in folders of their WordNet ids.
fn forms(path: &str) -> Vec<PathBuf> {
    let mut forms = vec![PathBuf::from(path)];
    let is_bare = Path::new(path).parent() == Some(Path::new(""));
    if let (true, Some(id)) = (is_bare, wordnet_id(path)) {
        forms.push(Path::new(id).join(path));
        forms.push(Path::new("train").join(id).join(path));
    }
    forms
}

/// The folder, or `.` (the working directory) where a path has no folder.
fn folder_or_dot(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}
