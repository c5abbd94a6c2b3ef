//! Errors of Pascal VOC sets: one-line messages that name the file.

use std::path::{Path, PathBuf};

/// Why a VOC set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VocError {
    /// There is no VOC layout.
    #[error(
        "{} holds no Pascal VOC set: the folders JPEGImages and Annotations are neither in it nor below it; pass the \
         folder that holds them",
        path.display()
    )]
    NotVoc {
        /// The folder that was searched.
        path: PathBuf,
    },
    /// There is more than one VOC layout.
    #[error(
        "{} holds several Pascal VOC sets ({} and {}); pass one of them",
        path.display(),
        first.display(),
        second.display()
    )]
    Several {
        /// The folder that was searched.
        path: PathBuf,
        /// One of them.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// A split is not listed.
    #[error("there is no {}; it should list the images of that split, one per line", path.display())]
    MissingList {
        /// The list.
        path: PathBuf,
    },
    /// A list has no line.
    #[error("{} lists no images; fill it or remove it", path.display())]
    EmptyList {
        /// The list.
        path: PathBuf,
    },
    /// A listed image is missing.
    #[error(
        "{} line {line}: {} holds no image {id} (jpg, png, webp, …); add it or remove the line",
        list.display(),
        images.display()
    )]
    MissingImage {
        /// The list.
        list: PathBuf,
        /// Its line, counted from 1.
        line: usize,
        /// Name of the image without its extension.
        id: String,
        /// The folder of the images.
        images: PathBuf,
    },
    /// An image has no annotation.
    #[error("there is no {}; every listed image needs its annotation", path.display())]
    MissingAnnotation {
        /// The annotation.
        path: PathBuf,
    },
    /// An annotation is not a valid VOC annotation.
    #[error("bad annotation {}: {reason}; correct it or remove its image from the lists", path.display())]
    BadAnnotation {
        /// The annotation.
        path: PathBuf,
        /// What is wrong, in one line.
        reason: String,
    },
}

impl VocError {
    /// The file or folder that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::NotVoc { path }
            | Self::Several { path, .. }
            | Self::MissingList { path }
            | Self::EmptyList { path }
            | Self::MissingAnnotation { path }
            | Self::BadAnnotation { path, .. } => path,
            Self::MissingImage { list, .. } => list,
        }
    }
}
