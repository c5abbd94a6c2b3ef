//! The choice of the folder that features are evaluated on: one with labels before one without.
//!
//! This file must not list whole folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::annotations::read_annotations;
use super::peek::{Inside, inside};
use crate::DataError;
use crate::path_names::{class_name, shown};

/// The images to evaluate on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EvaluationFolder {
    /// Their folder.
    pub(crate) path: PathBuf,
    /// Where their labels are.
    pub(crate) labels: EvaluationLabels,
}

/// Where labels of evaluation images are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EvaluationLabels {
    /// The names of their folders.
    Folders,
    /// A file next to them, as Tiny-ImageNet's `val/val_annotations.txt`.
    Annotations(PathBuf),
    /// There are none.
    None,
}

/// What is evaluated on, and why.
pub(super) struct Evaluation {
    pub(super) folder: Option<EvaluationFolder>,
    pub(super) notes: Vec<String>,
}

/// The evaluation folder at `path`, whose training images are at `train`.
pub(crate) fn evaluation_folder(path: &Path, train: &Path) -> Result<EvaluationFolder, DataError> {
    let labels = labels(path, &classes(train)?)?;
    Ok(EvaluationFolder {
        path: path.into(),
        labels: labels.unwrap_or(EvaluationLabels::None),
    })
}

/// Chooses among `candidates`, the most usual first: the first with labels, or the first with images.
pub(super) fn choose(root: &Path, train: &Path, candidates: &[PathBuf]) -> Result<Evaluation, DataError> {
    let name = |path: &Path| shown(path.strip_prefix(root).unwrap_or(path));
    let classes = classes(train)?;
    let (mut folders, mut notes) = (Vec::new(), Vec::new());
    for path in candidates {
        match labels(path, &classes)? {
            Some(labels) => folders.push(EvaluationFolder {
                path: path.clone(),
                labels,
            }),
            None => notes.push(format!("{}/ holds no images", name(path))),
        }
    }
    let labelled = folders
        .iter()
        .position(|folder| folder.labels != EvaluationLabels::None);
    let chosen = match (labelled, folders.is_empty()) {
        (Some(chosen), _) => chosen,
        (None, true) => return Ok(Evaluation { folder: None, notes }),
        (None, false) => 0,
    };
    let folder = folders.remove(chosen);
    let taken = name(&folder.path);
    match &folder.labels {
        EvaluationLabels::None if !classes.is_empty() => {
            notes.push(format!("{taken}/ has no class folders, so its images have no labels"));
        }
        EvaluationLabels::Annotations(file) => {
            notes.push(format!("the labels of {taken}/ are those of {}", name(file)));
        }
        _ => {}
    }
    for other in folders {
        let what = if other.labels == EvaluationLabels::None && !classes.is_empty() {
            "has no labels and is not used"
        } else {
            "is not used"
        };
        notes.push(format!(
            "{taken}/ is evaluated on and {}/ {what}; data.test chooses",
            name(&other.path)
        ));
    }
    Ok(Evaluation {
        folder: Some(folder),
        notes,
    })
}

/// Names of the class folders of the training images; none without labels.
fn classes(train: &Path) -> Result<BTreeSet<String>, DataError> {
    Ok(match inside(train)? {
        Inside::Folders(names) => names.iter().map(|name| class_name(name)).collect(),
        Inside::Nothing | Inside::Images => BTreeSet::new(),
    })
}

/// Where the labels of a folder are; `None` if it holds nothing.
fn labels(path: &Path, classes: &BTreeSet<String>) -> Result<Option<EvaluationLabels>, DataError> {
    Ok(match inside(path)? {
        Inside::Nothing => None,
        _ if classes.is_empty() => Some(EvaluationLabels::None),
        // A single folder of another name, such as `test/unknown`, is no class; several are, and are refused by name.
        Inside::Folders(names) if names.len() > 1 || names.iter().any(|name| classes.contains(&class_name(name))) => {
            Some(EvaluationLabels::Folders)
        }
        Inside::Folders(_) => Some(EvaluationLabels::None),
        Inside::Images => {
            let file = path
                .file_name()
                .map(|name| path.join(format!("{}_annotations.txt", name.to_string_lossy())));
            let file = file.filter(|file| file.is_file());
            let known = |file: &PathBuf| {
                read_annotations(file).is_ok_and(|of| of.iter().any(|(_, class)| classes.contains(class)))
            };
            Some(
                file.filter(known)
                    .map_or(EvaluationLabels::None, EvaluationLabels::Annotations),
            )
        }
    })
}
