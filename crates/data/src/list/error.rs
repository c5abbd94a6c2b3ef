//! Errors of file lists: one-line messages with the number of the line.

use std::path::{Path, PathBuf};

/// Why a file list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// There is no list.
    #[error("there is no list {}; pass a text file of image paths, one per line", path.display())]
    Missing {
        /// The list.
        path: PathBuf,
    },
    /// A folder was passed for its lists, but it has none.
    #[error(
        "{} holds no list: train.txt is missing; pass a text file of image paths or a folder with train.txt",
        path.display()
    )]
    NoTrainList {
        /// The folder.
        path: PathBuf,
    },
    /// No line names an image.
    #[error("{} names no images; write one path per line", path.display())]
    Empty {
        /// The list.
        path: PathBuf,
    },
    /// A line cannot be understood.
    #[error(
        "{} line {line} {reason}; write a path, and after a tab its class if it has one, or set data.bad_images to \"skip\"",
        path.display()
    )]
    BadLine {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The columns of a table are not clear.
    #[error("{} {reason}", path.display())]
    Columns {
        /// The table.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The file of a line was not found.
    #[error(
        "{} line {line}: there is no {name}; tried {looked}; set data.list_root to the folder that its paths begin at",
        path.display()
    )]
    MissingFile {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The path as written.
        name: String,
        /// The paths that were tried.
        looked: String,
    },
    /// Some lines name a class, but this one does not.
    #[error("{} line {line} names no class, and line {other} does; give every line a class or none", path.display())]
    NoClass {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// A line that names one.
        other: usize,
    },
}

impl ListError {
    /// The line that the error is about, 0 if it is about the whole list.
    pub(super) fn line(&self) -> usize {
        match self {
            Self::BadLine { line, .. } | Self::MissingFile { line, .. } | Self::NoClass { line, .. } => *line,
            Self::Missing { .. } | Self::NoTrainList { .. } | Self::Empty { .. } | Self::Columns { .. } => 0,
        }
    }

    /// The list that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing { path }
            | Self::NoTrainList { path }
            | Self::Empty { path }
            | Self::BadLine { path, .. }
            | Self::Columns { path, .. }
            | Self::MissingFile { path, .. }
            | Self::NoClass { path, .. } => path,
        }
    }
}
