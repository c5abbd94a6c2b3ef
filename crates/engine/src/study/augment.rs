//! `augment`: view operations removed one after the other, the paper's Figure 3, and two removed alone.

use super::base::Base;
use super::definition::StudyDefinition;
use super::error::StudyError;
use super::study::{Axis, Cell, Study};

/// The study.
pub(super) const AUGMENT: StudyDefinition = StudyDefinition {
    name: "augment",
    about: "view operations removed one after the other (Figure 3), mirror and solarise alone",
    build,
};

/// Keys of a view that hold probabilities.
const GREYSCALE: &str = "greyscale";
const JITTER: &str = "jitter.p";
const FLIP: &str = "flip";
const SOLARIZE: &str = "solarize";
const BLUR: &str = "blur.p";

/// Cells with what they lack: the figure's, each with more than the one before.
const REMOVED: [(&str, &str, &[&str]); 5] = [
    ("full", "all of the recipe's", &[]),
    ("no-greyscale", "without greyscale", &[GREYSCALE]),
    ("no-jitter", "without colour jitter, too", &[GREYSCALE, JITTER]),
    ("crop-blur", "crop and blur only", &[GREYSCALE, JITTER, FLIP, SOLARIZE]),
    ("crop", "crop only", &[GREYSCALE, JITTER, FLIP, SOLARIZE, BLUR]),
];

/// Operations removed alone.
const ALONE: [(&str, &str, &[&str]); 2] = [
    ("no-mirror", "without mirror alone", &[FLIP]),
    ("no-solarize", "without solarise alone", &[SOLARIZE]),
];

fn build(base: &Base) -> Result<Study, StudyError> {
    let (a, b) = base.config().views.resolve();
    let has_blur = a.blur.p > 0.0 || b.blur.p > 0.0;
    let has_solarize = a.solarize > 0.0 || b.solarize > 0.0;
    let cell = |(name, label, removed): (&str, &str, &[&str])| {
        let without = |cell: Cell, key: &&str| {
            cell.set(format!("views.a.{key}"), 0.0)
                .set(format!("views.b.{key}"), 0.0)
        };
        let cell = removed.iter().fold(Cell::new(name, label), without);
        cell.baseline(removed.is_empty())
    };
    let mut notes = vec![
        "Probabilities are set to 0 in both views; all other values are the recipe's. The axis of the paper's Figure 3 \
         ends 25 points below the baseline (ImageNet, ResNet-50, 300 epochs); it prints no numbers."
            .to_owned(),
    ];
    let mut rows: Vec<_> = REMOVED.into_iter().chain(ALONE).collect();
    if !has_blur {
        rows.retain(|(name, ..)| *name != "crop-blur");
        notes.push(
            "No cell for crop and blur: the recipe's views are not blurred, so it would be that for the crop."
                .to_owned(),
        );
    }
    if !has_solarize {
        rows.retain(|(name, ..)| *name != "no-solarize");
        notes.push("No cell without solarise: the recipe's views are not solarised.".to_owned());
    }
    Ok(Study {
        name: AUGMENT.name.to_owned(),
        title: "Removed view operations".to_owned(),
        source: None,
        axis: Axis::Differences,
        cells: rows.into_iter().map(cell).collect(),
        notes,
        flat: false,
    })
}
