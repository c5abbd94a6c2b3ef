//! `loss`: the variants of the loss, the paper's Table 5.

use super::base::Base;
use super::definition::{StudyDefinition, needs_barlow_twins};
use super::error::StudyError;
use super::study::{Axis, Cell, Study};

/// The study.
pub(super) const LOSS: StudyDefinition = StudyDefinition {
    name: "loss",
    about: "variants of the loss (Table 5)",
    build,
};

/// A row: name, label, objective, normalisation, batch norm in the projector, the paper's top-1 and top-5.
type Row = (&'static str, &'static str, &'static str, &'static str, bool, f64, f64);

const ROWS: [Row; 7] = [
    ("baseline", "Barlow Twins", "barlow-twins", "batch", true, 71.4, 90.2),
    (
        "invariance",
        "only the invariance term",
        "invariance",
        "batch",
        true,
        57.3,
        80.5,
    ),
    (
        "redundancy",
        "only the redundancy term",
        "redundancy",
        "batch",
        true,
        0.1,
        0.5,
    ),
    (
        "feature-norm",
        "normalised along the features",
        "barlow-twins",
        "feature",
        true,
        69.8,
        88.8,
    ),
    (
        "no-mlp-norm",
        "no batch norm in the projector",
        "barlow-twins",
        "batch",
        false,
        71.2,
        89.7,
    ),
    (
        "cross-covariance",
        "neither that nor normalisation",
        "barlow-twins",
        "none",
        false,
        53.4,
        76.7,
    ),
    (
        "cross-entropy",
        "cross-entropy with temperature",
        "cross-entropy",
        "batch",
        true,
        63.3,
        85.7,
    ),
];

fn build(base: &Base) -> Result<Study, StudyError> {
    needs_barlow_twins(LOSS.name, base)?;
    let cells = ROWS
        .into_iter()
        .map(|(name, label, objective, normalization, norm, top1, top5)| {
            let cell = Cell::new(name, label)
                .set("loss.objective", objective)
                .set("loss.normalization", normalization)
                .set("model.projector_norm", norm)
                // A form selected by name may not have the variant.
                .derive("loss.form", "auto")
                .baseline(name == "baseline");
            cell.paper(top1, Some(top5))
        });
    Ok(Study {
        name: LOSS.name.to_owned(),
        title: "Variants of the loss".to_owned(),
        source: Some("Table 5 of the paper: linear accuracy on ImageNet, ResNet-50, 300 epochs".to_owned()),
        axis: Axis::Names,
        cells: cells.collect(),
        notes: vec![
            "Lambda, temperature and learning rates are the recipe's in every cell; none was tuned for a variant."
                .to_owned(),
        ],
        flat: false,
    })
}
