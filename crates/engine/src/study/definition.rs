//! A study that the program knows by name, and what every study must fulfil over its base.

use super::base::Base;
use super::error::StudyError;
use super::study::{Setting, Study};
use crate::methods::MethodKind;

/// A study that the program knows by name.
#[derive(Clone, Copy, Debug)]
pub struct StudyDefinition {
    /// The name.
    pub name: &'static str,
    /// What it varies, in one line.
    pub about: &'static str,
    /// Its cells over a base.
    pub build: fn(&Base) -> Result<Study, StudyError>,
}

/// Checks the names of the cells and the keys that the command line gave.
///
/// # Errors
/// [`StudyError`] if there is no cell, two cells have one name, a name is no folder's, the command line sets a key that the study
/// varies, or a cell's config is invalid.
pub(super) fn check(study: &Study, base: &Base) -> Result<(), StudyError> {
    if study.cells.is_empty() {
        return Err(StudyError::NoCells(study.name.clone()));
    }
    for (index, cell) in study.cells.iter().enumerate() {
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_.".contains(letter);
        let is_name = cell.name.chars().all(fits) && !cell.name.starts_with('.') && cell.name.len() <= 100;
        if (cell.name.is_empty() && !study.flat) || !is_name {
            return Err(StudyError::CellName(cell.name.clone()));
        }
        if study.cells[..index].iter().any(|other| other.name == cell.name) {
            return Err(StudyError::SameName(cell.name.clone()));
        }
        for Setting { key, .. } in &cell.settings {
            if let Some(given) = base.given().find(|given| overlaps(given, key)) {
                return Err(StudyError::Varied {
                    key: given.to_owned(),
                    study: study.name.clone(),
                    cell: cell.name.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Checks that the base's method is Barlow Twins, whose settings the study varies.
///
/// # Errors
/// [`StudyError::Method`].
pub(super) fn needs_barlow_twins(study: &'static str, base: &Base) -> Result<(), StudyError> {
    match base.config().method.kind {
        MethodKind::BarlowTwins => Ok(()),
        other => Err(StudyError::Method {
            study,
            method: other.name(),
        }),
    }
}

/// Whether one of two dotted keys is the other or a section of it.
fn overlaps(a: &str, b: &str) -> bool {
    let below = |key: &str, section: &str| key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
    a == b || below(a, b) || below(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_overlaps_its_keys() {
        assert!(overlaps("loss.lambda", "loss.lambda"));
        assert!(overlaps("views.a", "views.a.flip") && overlaps("views.a.flip", "views.a"));
        assert!(!overlaps("loss.lambda", "loss.lambda2") && !overlaps("model.width", "views.size"));
    }
}
