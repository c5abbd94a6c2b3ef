//! The accuracy of a network whose projector is a classifier.

use crate::config::Config;
use crate::evaluation::{EvaluationError, FeaturePass, Network, Watch};
use crate::sources::Sources;
use anyhow::{Context, ensure};
use barlow_eval::rank;
use serde::{Deserialize, Serialize};

/// Accuracy of a classifier on the test images, fractions of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierAccuracy {
    /// Test images.
    pub images: usize,
    /// Of the highest score.
    pub top1: f64,
    /// Among the five highest; null with five classes or fewer.
    pub top5: Option<f64>,
}

/// Classifies the test images by the embeddings of `network`, one score a class; in a tie the lower class ranks first.
///
/// # Errors
/// If an image cannot be read, there are no test images or no projector, or it should stop.
pub fn classifier_accuracy(
    network: &dyn Network,
    sources: &Sources,
    config: &Config,
    watch: &Watch<'_>,
) -> Result<ClassifierAccuracy, EvaluationError> {
    let test = sources.test.as_ref().context("there are no test images")?;
    let pass = FeaturePass::new(config, sources.normalization.clone())?;
    let (mut images, mut within1, mut within5) = (0, 0, 0);
    pass.run(network, test.as_ref(), "test", watch, &mut |chunk| {
        let scores = network
            .embeddings(chunk.rows)
            .context("the network has no classifier")?;
        for (row, &image) in scores.values.chunks_exact(scores.width).zip(&chunk.images) {
            let label = test.label(image).context("a set with classes has labels")?;
            ensure!(
                row.iter().all(|score| score.is_finite()),
                "the scores of {} are not finite: the network has diverged; pass lower rates",
                test.name(image)
            );
            let rank = rank(row.len(), label, |class| row[class]);
            images += 1;
            within1 += usize::from(rank == 0);
            within5 += usize::from(rank < 5);
        }
        Ok(())
    })?;
    let fraction = |count: usize| count as f64 / images.max(1) as f64;
    Ok(ClassifierAccuracy {
        images,
        top1: fraction(within1),
        top5: (sources.classes.len() > 5).then(|| fraction(within5)),
    })
}
