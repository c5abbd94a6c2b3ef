//! `lambda`: the weight of the redundancy-reduction term, the paper's Figure 5.

use super::base::Base;
use super::definition::{StudyDefinition, needs_barlow_twins};
use super::error::StudyError;
use super::study::{Axis, Cell, Study};

/// The study.
pub(super) const LAMBDA: StudyDefinition = StudyDefinition {
    name: "lambda",
    about: "the weight of the redundancy-reduction term (Figure 5)",
    build,
};

/// The figure's values; 0.005 is the paper's choice.
const LAMBDAS: [f64; 6] = [0.002, 0.005, 0.007, 0.01, 0.015, 0.02];
const PAPERS: f64 = 0.005;

fn build(base: &Base) -> Result<Study, StudyError> {
    needs_barlow_twins(LAMBDA.name, base)?;
    let cell = |lambda: f64| {
        Cell::new(format!("lambda-{lambda}"), format!("λ = {lambda}"))
            .set("loss.lambda", lambda)
            .at(lambda)
            .baseline(lambda == PAPERS)
    };
    Ok(Study {
        name: LAMBDA.name.to_owned(),
        title: "The trade-off parameter λ".to_owned(),
        source: None,
        axis: Axis::Number {
            label: "λ".to_owned(),
            log: false,
        },
        cells: LAMBDAS.into_iter().map(cell).collect(),
        notes: vec![
            "Figure 5 of the paper: linear top-1 accuracy between 70.8 and 71.6 % for all of these values (ImageNet, ResNet-50, 300 \
             epochs), the best at 0.005. The paper prints no numbers."
                .to_owned(),
        ],
        flat: false,
    })
}
