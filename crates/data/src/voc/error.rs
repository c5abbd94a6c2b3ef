//! What can be wrong with a Pascal VOC set: one line each, naming the file.

use std::path::{Path, PathBuf};

/// Why a VOC set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VocError {
    /// There is no VOC layout.
    #[error(
        "{} holds no Pascal VOC set: looked for the folders JPEGImages and Annotations in it and below it; pass the \
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
    #[error("there is no {}; it should list the images of that split, one a line", path.display())]
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
    /// A listed image is not there.
    #[error(
        "{} line {line}: {} holds no image {id} (jpg, jpeg, png); add it or remove the line",
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
    /// An annotation is no VOC annotation.
    #[error("bad annotation {}: {reason}; correct it or take its image off the lists", path.display())]
    BadAnnotation {
        /// The annotation.
        path: PathBuf,
        /// What is wrong, in one line.
        reason: String,
    },
}

impl VocError {
    /// The file or folder the error is about.
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
