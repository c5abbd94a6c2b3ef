//! A portrait and the correlations in a run's folder: `report/`.
//!
//! A file that is missing or cannot be read is one that the report does not show; it can be computed again from a checkpoint.

use super::thumbnails::thumbnails;
use crate::files::write_atomic;
use crate::run_dir::RunDir;
use anyhow::Result;
use barlow_report::{Correlation, Portrait, Thumbnails};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Writes the correlation of the network named `name`.
///
/// # Errors
/// With the path.
pub(crate) fn write_correlation(run: &RunDir, correlation: &Correlation) -> Result<()> {
    write(&correlation_path(run, &correlation.name), correlation)
}

/// The correlation of the network named `name`; `None` if it was not stored, or is damaged.
pub(crate) fn read_correlation(run: &RunDir, name: &str) -> Option<Correlation> {
    let correlation: Correlation = read(&correlation_path(run, name))?;
    let is_whole = correlation.values.len() == correlation.side.checked_mul(correlation.side)?;
    is_whole.then_some(correlation)
}

fn correlation_path(run: &RunDir, name: &str) -> PathBuf {
    run.report_data(&format!("correlation-{name}.json"))
}

/// Writes the portrait and its thumbnails.
///
/// # Errors
/// With the path.
pub(crate) fn write_portrait(run: &RunDir, portrait: &Portrait, thumbnails: &Thumbnails) -> Result<()> {
    write_atomic(&run.report_data("thumbnails.png"), &thumbnails.png)?;
    write(&run.report_data("portrait.json"), portrait)
}

/// The portrait and its thumbnails; `None` if they were not stored, or are damaged.
pub(crate) fn read_portrait(run: &RunDir) -> Option<(Portrait, Thumbnails)> {
    let portrait: Portrait = read(&run.report_data("portrait.json"))?;
    let classes = portrait.classes.len();
    let results = &portrait.results;
    // What a page indexes by.
    let is_whole = results.per_class.len() == classes
        && (results.worst.iter()).all(|pair| pair.truth < classes && pair.predicted < classes)
        && (results.confusion.iter()).all(|[truth, predicted, _]| *truth < classes && *predicted < classes);
    let png = std::fs::read(run.report_data("thumbnails.png")).ok()?;
    (is_whole && png.starts_with(b"\x89PNG")).then(|| (portrait, thumbnails(png)))
}

/// On one line: there are thousands of numbers.
fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    write_atomic(path, &serde_json::to_vec(value)?)
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_and_what_is_damaged_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("run")).unwrap();
        let correlation = Correlation {
            name: "trained".into(),
            values: vec![1.0, 0.5, 0.25, 1.0],
            side: 2,
            width: 8,
            ..Correlation::default()
        };
        assert_eq!(read_correlation(&run, "trained"), None);
        write_correlation(&run, &correlation).unwrap();
        assert_eq!(read_correlation(&run, "trained").as_ref(), Some(&correlation));
        write_correlation(&run, &Correlation { side: 3, ..correlation }).unwrap();
        assert_eq!(read_correlation(&run, "trained"), None, "it has four values");

        let mut portrait = Portrait {
            classes: vec!["<a>".into()],
            ..Portrait::default()
        };
        portrait.results.per_class = vec![[3, 2]];
        let picture = thumbnails(b"\x89PNG...".to_vec());
        write_portrait(&run, &portrait, &picture).unwrap();
        assert_eq!(read_portrait(&run), Some((portrait.clone(), picture.clone())));
        portrait.results.confusion = vec![[0, 1, 5]];
        write_portrait(&run, &portrait, &picture).unwrap();
        assert_eq!(read_portrait(&run), None, "there is no class 1");
        write_atomic(&run.report_data("portrait.json"), b"{\"step\": ").unwrap();
        assert_eq!(read_portrait(&run), None);
    }
}
