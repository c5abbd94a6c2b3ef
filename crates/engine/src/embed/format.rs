//! The registry of formats of features.

use super::npy::NpyWriter;
use super::parquet::ParquetWriter;
use super::writer::FeatureWriter;
use anyhow::Result;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A format of features, by the extension of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureFormat {
    /// NumPy's array `[rows, width]` of f32, with a CSV of paths and classes beside it.
    Npy,
    /// A Parquet table of path, label and features.
    Parquet,
}

/// A file name whose extension is of no format.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0} is neither .npy nor .parquet; name the file of the features so, such as features.npy")]
pub struct FeatureFormatError(pub PathBuf);

impl FeatureFormat {
    /// The format that a path names.
    ///
    /// # Errors
    /// [`FeatureFormatError`].
    pub fn of(path: &Path) -> Result<Self, FeatureFormatError> {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_deref().and_then(|extension| extension.to_str()) {
            Some("npy") => Ok(Self::Npy),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(FeatureFormatError(path.to_owned())),
        }
    }
}

/// A writer of features of `width` values to `path`.
///
/// # Errors
/// If the folder cannot be written to.
pub fn feature_writer(format: FeatureFormat, path: &Path, width: usize) -> Result<Box<dyn FeatureWriter>> {
    Ok(match format {
        FeatureFormat::Npy => Box::new(NpyWriter::create(path, width)?),
        FeatureFormat::Parquet => Box::new(ParquetWriter::create(path, width)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_names_the_format() {
        assert_eq!(FeatureFormat::of(Path::new("a/b.NPY")), Ok(FeatureFormat::Npy));
        assert_eq!(FeatureFormat::of(Path::new("b.parquet")), Ok(FeatureFormat::Parquet));
        let error = FeatureFormat::of(Path::new("features")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "features is neither .npy nor .parquet; name the file of the features so, such as features.npy"
        );
    }
}
