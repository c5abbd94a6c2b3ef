//! `depth`: the number of the projector's layers.

use super::base::Base;
use super::definition::StudyDefinition;
use super::error::StudyError;
use super::study::{Axis, Cell, Study};

/// The study.
pub(super) const DEPTH: StudyDefinition = StudyDefinition {
    name: "depth",
    about: "the number of the projector's layers, 1 to 4",
    build,
};

const MOST_LAYERS: usize = 4;

fn build(base: &Base) -> Result<Study, StudyError> {
    let widths = base.config().projector().widths;
    let last = *widths.last().expect("a projector has a layer");
    let hidden = if widths.len() > 1 { widths[0] } else { last };
    let cell = |layers: usize| {
        let mut all = vec![hidden.to_string(); layers - 1];
        all.push(last.to_string());
        let plural = if layers == 1 { "" } else { "s" };
        Cell::new(format!("layers-{layers}"), format!("{layers} layer{plural}"))
            .set("model.projector", all.join("-"))
            .at(layers as f64)
            .baseline(layers == 3)
    };
    Ok(Study {
        name: DEPTH.name.to_owned(),
        title: "Depth of the projector".to_owned(),
        source: None,
        axis: Axis::Number {
            label: "layers of the projector".to_owned(),
            log: false,
        },
        cells: (1..=MOST_LAYERS).map(cell).collect(),
        notes: vec![
            "The paper has no table of this; it states that accuracy saturates at three layers (ImageNet, ResNet-50)."
                .to_owned(),
        ],
        flat: false,
    })
}
