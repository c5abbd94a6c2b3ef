//! Errors of sets of shards: one-line messages that name the shard and say what to do.

use std::path::{Path, PathBuf};

/// Why a set of shards cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// There is no shard.
    #[error("{} holds no {kind} files, neither itself nor in train/ or data/; pass the folder that holds them", path.display())]
    NoShards {
        /// The folder that was searched.
        path: PathBuf,
        /// The extension of the shards.
        kind: &'static str,
    },
    /// All shards are of held-out splits.
    #[error(
        "{} holds shards of {split} only, and none to train on; pass their path or pattern to train on them",
        path.display()
    )]
    NoTrainShards {
        /// The folder that was searched.
        path: PathBuf,
        /// The split of the first one.
        split: &'static str,
    },
    /// The folder holds more than one set.
    #[error(
        "{} holds several sets of shards ({} and {}); pass one of them",
        path.display(),
        first.display(),
        second.display()
    )]
    SeveralSets {
        /// The folder that was searched.
        path: PathBuf,
        /// One of them.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// A pattern of shards cannot be understood.
    #[error("the pattern {pattern} {reason}; write it as in train-{{000000..000999}}.tar")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A named shard is missing.
    #[error("there is no shard {}; fetch it, or correct the pattern", path.display())]
    MissingShard {
        /// The shard.
        path: PathBuf,
    },
    /// A shard cannot be read at random.
    #[error("{} is compressed, and images are read in any order; unpack it first: {how}", path.display())]
    Compressed {
        /// The shard.
        path: PathBuf,
        /// The command that does so.
        how: String,
    },
    /// Something in a shard is wrong, and such things are not skipped.
    #[error("{}: {fault}; fetch or write the shard again, or set data.bad_images to \"skip\"", path.display())]
    Fault {
        /// The shard.
        path: PathBuf,
        /// What is wrong, and where.
        fault: String,
    },
    /// A shard cannot be used at all.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The shard.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// No shard holds an image.
    #[error("the shards in {} hold no images (jpg, png, webp, …){found}", path.display())]
    NoImages {
        /// The folder, or the only shard.
        path: PathBuf,
        /// What they hold instead, in parentheses; may be empty.
        found: String,
    },
    /// A label is a number without a name.
    #[error(
        "label {label} has no name: {} names {names} classes, from 0 on; correct or remove the file",
        path.display()
    )]
    UnnamedClass {
        /// The label.
        label: String,
        /// The file of the names.
        path: PathBuf,
        /// How many names there are.
        names: usize,
    },
    /// A shard is not the one that was indexed.
    #[error("{} has changed since the program started; start it again", path.display())]
    Changed {
        /// The shard.
        path: PathBuf,
    },
}

impl ShardError {
    /// The file or folder that the error is about, if any.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Pattern { .. } => None,
            Self::NoShards { path, .. }
            | Self::NoTrainShards { path, .. }
            | Self::SeveralSets { path, .. }
            | Self::MissingShard { path }
            | Self::Compressed { path, .. }
            | Self::Fault { path, .. }
            | Self::Unusable { path, .. }
            | Self::NoImages { path, .. }
            | Self::UnnamedClass { path, .. }
            | Self::Changed { path } => Some(path),
        }
    }
}
