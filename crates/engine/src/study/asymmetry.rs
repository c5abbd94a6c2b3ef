//! `asymmetry`: a stop-gradient and a predictor, the paper's Table 6.

use super::base::Base;
use super::definition::{StudyDefinition, needs_barlow_twins};
use super::error::StudyError;
use super::study::{Axis, Cell, Study};

/// The study.
pub(super) const ASYMMETRY: StudyDefinition = StudyDefinition {
    name: "asymmetry",
    about: "stop-gradient and predictor (Table 6)",
    build,
};

/// A row: name, label, stop-gradient, predictor, the paper's top-1 and top-5.
const ROWS: [(&str, &str, bool, bool, f64, f64); 4] = [
    ("baseline", "Barlow Twins", false, false, 71.4, 90.2),
    ("stop-gradient", "stop-gradient on view b", true, false, 70.5, 89.0),
    ("predictor", "predictor on view a", false, true, 70.2, 89.0),
    ("both", "both", true, true, 61.3, 83.5),
];

fn build(base: &Base) -> Result<Study, StudyError> {
    needs_barlow_twins(ASYMMETRY.name, base)?;
    let cells = ROWS.into_iter().map(|(name, label, stop, predictor, top1, top5)| {
        Cell::new(name, label)
            .set("loss.stop_gradient", stop)
            .set("loss.predictor", predictor)
            .baseline(name == "baseline")
            .paper(top1, Some(top5))
    });
    Ok(Study {
        name: ASYMMETRY.name.to_owned(),
        title: "Asymmetry between the views".to_owned(),
        source: Some("Table 6 of the paper: linear accuracy on ImageNet, ResNet-50, 300 epochs".to_owned()),
        axis: Axis::Names,
        cells: cells.collect(),
        notes: Vec::new(),
        flat: false,
    })
}
