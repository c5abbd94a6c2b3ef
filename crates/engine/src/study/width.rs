//! `width`: the embedding's dimension D, the paper's Figure 4, and beyond.

use super::base::Base;
use super::definition::StudyDefinition;
use super::error::StudyError;
use super::study::{Axis, Cell, Study};
use crate::config::OptimizerKind;

/// The study.
pub(super) const WIDTH: StudyDefinition = StudyDefinition {
    name: "width",
    about: "the embedding's dimension D, 16 to 65,536 (Figure 4)",
    build,
};

/// Those of the figure, and one that the paper leaves to future work for its memory: the loss in its Gram form needs N × N values
/// instead of D × D.
const WIDTHS: [usize; 12] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536];

fn build(base: &Base) -> Result<Study, StudyError> {
    let config = base.config();
    let mut hidden = config.projector().widths;
    let own = hidden.pop().expect("a projector has a layer");
    let mut widths = WIDTHS.to_vec();
    if !widths.contains(&own) {
        widths.push(own);
        widths.sort_unstable();
    }
    let cell = |width: usize| {
        let layers = hidden.iter().chain([&width]).map(ToString::to_string);
        let cell = Cell::new(format!("d-{width}"), format!("D = {width}"))
            .set("model.projector", layers.collect::<Vec<_>>().join("-"))
            .at(width as f64)
            .baseline(width == own);
        match (config.optimizer.kind, config.optimizer.learning_rate_weights) {
            // The loss is a sum over D features; LARS and AdamW do not depend on its scale.
            (OptimizerKind::Sgd, Some(rate)) => {
                let factor = own as f64 / width as f64;
                let cell = cell.derive("optimizer.learning_rate_weights", rate * factor);
                match config.optimizer.learning_rate_biases {
                    Some(biases) => cell.derive("optimizer.learning_rate_biases", biases * factor),
                    None => cell,
                }
            }
            _ => cell,
        }
    };
    Ok(Study {
        name: WIDTH.name.to_owned(),
        title: "Dimension of the embeddings".to_owned(),
        source: None,
        axis: Axis::Number {
            label: "dimension of the embeddings".to_owned(),
            log: true,
        },
        cells: widths.iter().map(|width| cell(*width)).collect(),
        notes: vec![
            "Only the projector's last layer changes, and lambda is the recipe's; the authors set all three layers to D. Figure 4 of the \
             paper rises from D = 16 to 16,384 (ImageNet, ResNet-50, 300 epochs; no numbers are printed)."
                .to_owned(),
        ],
        flat: false,
    })
}
