//! The result of every reader: names and positions of tensors, and the tree of all values.

use crate::error::Fault;
use crate::stored::StoredTensor;
use crate::tree::Tree;
use std::collections::BTreeMap;
use std::collections::HashSet;

/// Container of a weight file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A `.pth` of torch 1.6 and later: a zip archive.
    PthZip,
    /// A `.pth` of torch 0.1.10 to 1.5: pickles, then the storages.
    PthLegacy,
    /// A `.pth` of the first versions of torch: a tar archive.
    PthTar,
    /// A `.safetensors` file.
    Safetensors,
    /// Several files with an index, `*.index.json`.
    Sharded,
}

impl std::fmt::Display for Format {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::PthZip => "PyTorch (zip)",
            Self::PthLegacy => "PyTorch (legacy stream)",
            Self::PthTar => "PyTorch (tar)",
            Self::Safetensors => "safetensors",
            Self::Sharded => "index of shards",
        })
    }
}

/// Tensors of a file, by name, and the tree that refers to them by number.
#[derive(Debug)]
pub(crate) struct Contents {
    pub format: Format,
    pub tensors: Vec<(String, StoredTensor)>,
    pub tree: Tree,
    pub metadata: BTreeMap<String, String>,
}

impl Contents {
    /// # Errors
    /// [`Fault::Tensor`] if two tensors have the same name.
    pub fn checked(self) -> Result<Self, Fault> {
        let mut names = HashSet::new();
        match self.tensors.iter().find(|(name, _)| !names.insert(name.as_str())) {
            Some((name, _)) => Err(Fault::tensor(name, "two tensors have this name")),
            None => Ok(self),
        }
    }
}
