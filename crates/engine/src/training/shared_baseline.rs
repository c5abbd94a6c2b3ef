//! Evaluations of untrained networks that runs of a study share.
//!
//! What is read is exactly what the run would have measured: the key holds the weights, the images, the settings and the device.

use crate::files::write_json;
use crate::summary::UntrainedAccuracy;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The file of one evaluation.
#[derive(Clone, Debug)]
pub(crate) struct SharedBaseline(PathBuf);

impl SharedBaseline {
    /// The file of a [key](crate::evaluation::baseline_hash) in a folder.
    pub fn new(folder: &Path, key: &str) -> Self {
        Self(folder.join(format!("{key}.json")))
    }

    /// The evaluation; `None` if it is not there or damaged, and so measured again.
    pub fn read(&self) -> Option<UntrainedAccuracy> {
        serde_json::from_str(&std::fs::read_to_string(&self.0).ok()?).ok()
    }

    /// Saves an evaluation; of two runs that measure the same at once, the last one's file stays.
    ///
    /// # Errors
    /// With the path.
    pub fn write(&self, accuracy: &UntrainedAccuracy) -> Result<()> {
        write_json(&self.0, accuracy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_is_read_as_it_was_measured() {
        let folder = tempfile::tempdir().unwrap();
        let shared = SharedBaseline::new(folder.path(), "key");
        assert_eq!(shared.read(), None);
        let accuracy = UntrainedAccuracy {
            knn_top1: Some(219.0 / 400.0 + 1e-17),
            linear_top1: Some(1.0 / 3.0),
        };
        shared.write(&accuracy).unwrap();
        assert_eq!(shared.read(), Some(accuracy));
        std::fs::write(folder.path().join("key.json"), "{").unwrap();
        assert_eq!(shared.read(), None);
    }
}
