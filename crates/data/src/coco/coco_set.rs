//! [`CocoSet`], an annotation file with the folder of its images.
//!
//! This file must not decode an image.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::annotations::{CocoAnnotations, read_coco};

/// Why a set cannot be opened. Each is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CocoError {
    /// The annotation file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a usable annotation file.
    #[error("bad annotations {}: {reason}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong, in one line.
        reason: String,
    },
    /// None of its images is there.
    #[error(
        "none of the {listed} images of {} is in {}; the first would be {first}",
        annotations.display(),
        images.display()
    )]
    NoImages {
        /// The file.
        annotations: PathBuf,
        /// The folder.
        images: PathBuf,
        /// Images in the file.
        listed: usize,
        /// Path of the first below the folder.
        first: String,
    },
}

/// Images with objects.
#[derive(Debug, Clone, PartialEq)]
pub struct CocoSet {
    images: PathBuf,
    annotations: CocoAnnotations,
    missing: usize,
    first_missing: Option<String>,
}

impl CocoSet {
    /// Opens an annotation file (`annotations/instances_train2017.json`) with the folder of its images (`train2017`). Images that are not
    /// there are skipped with their objects and counted.
    ///
    /// # Errors
    /// [`CocoError`]: a file that cannot be read or is no annotation file, or no image at all.
    pub fn open(annotations: impl AsRef<Path>, images: impl AsRef<Path>) -> Result<Self, CocoError> {
        let (path, images) = (annotations.as_ref(), images.as_ref());
        let read_error = |source| CocoError::Read {
            path: path.into(),
            source,
        };
        let file = File::open(path).map_err(read_error)?;
        let bad = |reason| CocoError::Bad {
            path: path.into(),
            reason,
        };
        let mut annotations = read_coco(BufReader::with_capacity(1 << 20, file)).map_err(bad)?;
        let there = |file_name: &str| images.join(file_name).is_file();
        let found: Vec<bool> = annotations
            .images
            .par_iter()
            .map(|image| there(&image.file_name))
            .collect();
        let listed = annotations.images.len();
        let first_missing = found.iter().position(|found| !found);
        let first_missing = first_missing.map(|at| annotations.images[at].file_name.clone());
        let mut found = found.into_iter();
        annotations.images.retain(|_| found.next().expect("one for each image"));
        if annotations.images.is_empty() {
            return Err(CocoError::NoImages {
                annotations: path.into(),
                images: images.into(),
                listed,
                first: first_missing.unwrap_or_default(),
            });
        }
        Ok(Self {
            images: images.into(),
            missing: listed - annotations.images.len(),
            first_missing,
            annotations,
        })
    }

    /// Images, categories and objects.
    #[must_use]
    pub fn annotations(&self) -> &CocoAnnotations {
        &self.annotations
    }

    /// File of image `index`.
    ///
    /// # Panics
    /// If there is no such image.
    #[must_use]
    pub fn path(&self, index: usize) -> PathBuf {
        self.images.join(&self.annotations.images[index].file_name)
    }

    /// Number of images that are not in the folder.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Name of the first of them.
    #[must_use]
    pub fn first_missing(&self) -> Option<&str> {
        self.first_missing.as_deref()
    }

    /// One line on everything that was skipped or changed; `None` if nothing was.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        let missing = self.first_missing.as_ref().map(|first| {
            let images = if self.missing == 1 { "image" } else { "images" };
            format!(
                "{} {images} not in {} (skipped; first: {first})",
                self.missing,
                self.images.display()
            )
        });
        let problems = &self.annotations.problems;
        let problems = (!problems.is_empty()).then(|| problems.to_string());
        let parts: Vec<String> = missing.into_iter().chain(problems).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn missing_images_are_counted_and_none_at_all_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("instances.json");
        let images: Vec<String> = (1..4)
            .map(|id| format!(r#"{{"id": {id}, "file_name": "{id}.jpg", "height": 4, "width": 4}}"#))
            .collect();
        let text = format!(
            r#"{{"images": [{}], "categories": [{{"id": 1, "name": "a"}}],
                "annotations": [{{"id": 5, "image_id": 2, "category_id": 1, "bbox": [1, 1, 2, 2]}}]}}"#,
            images.join(", ")
        );
        fs::write(&file, text).unwrap();
        let error = CocoSet::open(&file, folder.path()).unwrap_err().to_string();
        assert!(
            error.starts_with("none of the 3 images") && error.ends_with("1.jpg"),
            "{error}"
        );
        fs::write(folder.path().join("2.jpg"), "").unwrap();
        let set = CocoSet::open(&file, folder.path()).unwrap();
        assert_eq!((set.missing(), set.annotations().images.len()), (2, 1));
        assert_eq!(set.annotations().images[0].objects.len(), 1);
        assert!(set.path(0).ends_with("2.jpg"));
        let notice = set.notice().unwrap();
        assert!(
            notice.starts_with("2 images not in ") && notice.ends_with("(skipped; first: 1.jpg)"),
            "{notice}"
        );
        fs::write(folder.path().join("1.jpg"), "").unwrap();
        fs::write(folder.path().join("3.jpg"), "").unwrap();
        assert_eq!(CocoSet::open(&file, folder.path()).unwrap().notice(), None);
        fs::write(&file, "{").unwrap();
        let error = CocoSet::open(&file, folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("bad annotations") && !error.contains('\n'), "{error}");
        assert!(matches!(
            CocoSet::open(folder.path().join("no"), folder.path()),
            Err(CocoError::Read { .. })
        ));
    }
}
