//! `batch`: the batch size N, the paper's Figure 2.

use super::base::Base;
use super::definition::StudyDefinition;
use super::error::StudyError;
use super::study::{Axis, Cell, Study};
use crate::config::{authors_rate, settle_rates};
use crate::units::grouped;

/// The study.
pub(super) const BATCH: StudyDefinition = StudyDefinition {
    name: "batch",
    about: "the batch size N, 32 to 4096, with the authors' rates (Figure 2)",
    build,
};

/// Batch sizes with the paper's top-1 accuracy (facebookresearch/barlowtwins, issue 7).
const SIZES: [(usize, Option<f64>); 8] = [
    (32, None),
    (64, None),
    (128, Some(69.7)),
    (256, Some(70.7)),
    (512, Some(71.4)),
    (1024, Some(71.7)),
    (2048, Some(71.4)),
    (4096, Some(70.7)),
];

fn build(base: &Base) -> Result<Study, StudyError> {
    let mut config = base.config().clone();
    settle_rates(&mut config);
    let own = config.train.batch_size;
    let weights = config.optimizer.learning_rate_weights.expect("settled above");
    let biases = config.optimizer.learning_rate_biases.expect("settled above");
    let mut sizes = SIZES.to_vec();
    if !sizes.iter().any(|(size, _)| *size == own) {
        sizes.push((own, None));
        sizes.sort_unstable_by_key(|(size, _)| *size);
    }
    let images = base.images().train;
    let (fitting, too_large): (Vec<_>, Vec<_>) = sizes.into_iter().partition(|(size, _)| *size <= images);
    let cell = |(size, paper): (usize, Option<f64>)| {
        let factor = authors_rate(size as f64) / authors_rate(own as f64);
        let mut cell = Cell::new(format!("n-{size}"), format!("N = {size}"))
            .set("train.batch_size", size as i64)
            .derive("optimizer.learning_rate_weights", weights * factor)
            .at(size as f64)
            .baseline(size == own);
        // Under LARS biases have a rate of their own, which the authors kept.
        let biases = if biases == weights { biases * factor } else { biases };
        cell = cell.derive("optimizer.learning_rate_biases", biases);
        // The recipe's micro-batch, where it divides the batch; else the whole batch at once.
        if let Some(micro) = config.train.micro_batch {
            let micro = if micro < size && size.is_multiple_of(micro) {
                micro
            } else {
                size
            };
            cell = cell.derive("train.micro_batch", micro as i64);
        }
        match paper {
            Some(top1) => cell.paper(top1, None),
            None => cell,
        }
    };
    let mut notes = vec![
        "The rate of the weights per 256 images is the recipe's, times the authors' rate for N over theirs for the recipe's N \
         (docs: Large batches)."
            .to_owned(),
    ];
    if !too_large.is_empty() {
        let sizes: Vec<String> = too_large.iter().map(|(size, _)| size.to_string()).collect();
        let (sizes, images) = (sizes.join(", "), grouped(images));
        notes.push(format!("No cells for N = {sizes}: there are {images} training images."));
    }
    Ok(Study {
        name: BATCH.name.to_owned(),
        title: "Batch size".to_owned(),
        source: Some("Figure 2 of the paper: linear accuracy on ImageNet, ResNet-50, 300 epochs".to_owned()),
        axis: Axis::Number {
            label: "batch size".to_owned(),
            log: true,
        },
        cells: fitting.into_iter().map(cell).collect(),
        notes,
        flat: false,
    })
}
