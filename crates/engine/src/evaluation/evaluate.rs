//! The evaluation of a network: kNN and linear accuracy on the labelled images, and whether the features have collapsed.
//!
//! The network runs on its own device, in `Eval` mode; kNN and the probes always run on the CPU.

use super::features::{FeatureOptions, FeaturePass, LabelledFeatures};
use super::part::stratified_part;
use super::watch::{EvaluationError, Watch};
use super::{Accuracy, EvaluatedFeatures, ExactFit, LinearAccuracy, LinearProtocol, Network, Rows};
use crate::config::Config;
use crate::sources::Sources;
use anyhow::Context;
use barlow_data::{ImageSource, Subset};
use barlow_eval::{
    Collapse, KnnConfig, LinearConfig, LinearModel, choose_l2, knn, linear_probe, rank, spectrum, spread_rows,
};
use std::sync::Arc;

/// The largest number of images whose embeddings are analysed: embeddings are wide.
const MOST_EMBEDDED: usize = 512;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The linear classifier.
    pub linear: LinearWanted<'a>,
    /// kNN; the first k and temperature are the run's.
    pub knn: KnnConfig,
    /// Whether the embeddings are analysed, too; only with the default layer, which the projector reads.
    pub embeddings: bool,
    /// How features are taken.
    pub features: FeatureOptions,
    /// Whether the result has the features that kNN was run on.
    pub keep_features: bool,
}

/// The linear classifier of an evaluation.
#[derive(Clone, Copy, Debug)]
pub enum LinearWanted<'a> {
    /// None.
    No,
    /// One that is trained to convergence on the features of all training images.
    Exact(L2),
    /// One that was trained before.
    Trained(&'a LinearModel),
}

/// The penalty of an exact linear probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum L2 {
    /// The factor of Σ w².
    Given(f64),
    /// Chosen among powers of ten on a tenth of the training images.
    Chosen,
}

impl Default for L2 {
    fn default() -> Self {
        Self::Given(LinearConfig::default().l2)
    }
}

impl<'a> Wanted<'a> {
    /// kNN as the config says, and a linear classifier.
    pub fn of(config: &Config, linear: LinearWanted<'a>) -> Self {
        Self {
            linear,
            knn: KnnConfig::one(config.eval.knn_k, config.eval.knn_temperature),
            embeddings: false,
            features: FeatureOptions::default(),
            keep_features: false,
        }
    }
}

/// Candidates of [`L2::Chosen`].
const L2_CANDIDATES: [f64; 6] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1];
/// The part of the training images that the penalty is chosen on.
const L2_HELD_OUT: f64 = 0.1;

/// Evaluates a network on a run's images; `None` if there are fewer than two classes or no test images.
///
/// kNN votes among `eval.knn_images` training images; only an exact probe reads them all.
///
/// # Errors
/// If an image cannot be read, or the evaluation should stop.
pub fn evaluate(
    network: &dyn Network,
    sources: &Sources,
    config: &Config,
    wanted: &Wanted<'_>,
    watch: &Watch<'_>,
) -> Result<Option<Accuracy>, EvaluationError> {
    let Some(test) = &sources.test else { return Ok(None) };
    let classes = sources.classes.len();
    if classes < 2 {
        return Ok(None);
    }
    let pass = FeaturePass::new(config, sources.normalization.clone())?.with(&wanted.features);
    let voters = voters(sources.train.as_ref(), classes, config.eval.knn_images)?;
    let (train, neighbours) = match (wanted.linear, voters) {
        (_, None) => (pass.labelled(network, sources.train.as_ref(), "training", watch)?, None),
        (LinearWanted::Exact(_), Some(_)) => {
            let train = pass.labelled(network, sources.train.as_ref(), "training", watch)?;
            // By the labels of the images that could be read: unusable ones may be skipped.
            let part = stratified_part(&train.labels, classes, config.eval.knn_images);
            let part = train.part(&part);
            (train, Some(part))
        }
        (_, Some(voters)) => {
            let part = Subset::new(Arc::clone(&sources.train), voters);
            let mut train = pass.labelled(network, &part, "training", watch)?;
            train
                .images
                .iter_mut()
                .for_each(|image| *image = part.indices()[*image]);
            (train, None)
        }
    };
    let test = pass.labelled(network, test.as_ref(), "test", watch)?;
    let mut phase = watch.phase("classifying by nearest neighbours".to_owned(), 0);
    let (voters, classified) = (neighbours.as_ref().unwrap_or(&train).view(classes), test.view(classes));
    let knn = knn(&voters, &classified, &wanted.knn, &mut |progress| {
        phase.control(progress)
    });
    let knn = knn.map_err(|error| phase.error(error))?;
    let linear = match wanted.linear {
        LinearWanted::No => None,
        LinearWanted::Exact(l2) => Some(exact(&train, &test, classes, l2, watch)?),
        LinearWanted::Trained(model) => Some(trained(model, &test, classes)),
    };
    let embeddings = wanted
        .embeddings
        .then(|| embeddings(network, &test, pass.batch()))
        .flatten();
    let knn_top1 = knn.first().top1;
    let collapse = Collapse::of(&test.rows, test.width);
    let features = wanted.keep_features.then(|| EvaluatedFeatures {
        train: neighbours.unwrap_or(train),
        predictions: knn.first().predictions.clone(),
        test,
    });
    Ok(Some(Accuracy {
        knn_top1,
        knn: knn.scores,
        linear,
        collapse,
        embeddings: embeddings.map(|Rows { values, width }| (Collapse::of(&values, width), spectrum(&values, width))),
        features,
    }))
}

/// The training images that vote in kNN; `None` for all of them.
fn voters(train: &dyn ImageSource, classes: usize, most: usize) -> Result<Option<Vec<usize>>, EvaluationError> {
    if most == 0 || train.len() <= most {
        return Ok(None);
    }
    let labels: Option<Vec<usize>> = (0..train.len()).map(|index| train.label(index)).collect();
    let labels = labels.context("a set with classes has labels")?;
    Ok(Some(stratified_part(&labels, classes, most)))
}

fn exact(
    train: &LabelledFeatures,
    test: &LabelledFeatures,
    classes: usize,
    l2: L2,
    watch: &Watch<'_>,
) -> Result<LinearAccuracy, EvaluationError> {
    let (train, test) = (train.view(classes), test.view(classes));
    let mut config = LinearConfig::default();
    config.l2 = match l2 {
        L2::Given(l2) => l2,
        L2::Chosen => {
            let mut phase = watch.phase("choosing the penalty of the linear probe".to_owned(), 0);
            let choice = choose_l2(&train, &L2_CANDIDATES, L2_HELD_OUT, &config, &mut |progress| {
                phase.control(progress)
            });
            choice.map_err(|error| phase.error(error))?.best
        }
    };
    let mut phase = watch.phase("training the linear probe".to_owned(), 0);
    let probe = linear_probe(&train, &test, &config, &mut |progress| phase.control(progress));
    let probe = probe.map_err(|error| phase.error(error))?;
    Ok(LinearAccuracy {
        protocol: LinearProtocol::Exact,
        top1: probe.top1,
        top5: probe.top5,
        fit: Some(ExactFit {
            l2: config.l2,
            iterations: probe.iterations,
            converged: probe.converged,
            unseen: probe.unseen,
            report: probe.report,
        }),
    })
}

/// The accuracy of a classifier that was trained before.
fn trained(model: &LinearModel, test: &LabelledFeatures, classes: usize) -> LinearAccuracy {
    let ranks: Vec<usize> = (test.rows.chunks_exact(test.width).zip(&test.labels))
        .map(|(row, &label)| {
            let scores = model.logits(row);
            rank(classes, label, |class| scores[class])
        })
        .collect();
    let within = |rank: usize| ranks.iter().filter(|&&own| own < rank).count() as f64 / ranks.len() as f64;
    LinearAccuracy {
        protocol: LinearProtocol::Online,
        top1: within(1),
        top5: (classes > 5).then(|| within(5)),
        fit: None,
    }
}

/// The projector's embeddings of some of the images' features; batches are as large as for the images.
fn embeddings(network: &dyn Network, features: &LabelledFeatures, chunk: usize) -> Option<Rows> {
    let mut out = Rows::default();
    for rows in spread_rows(&features.rows, features.width, MOST_EMBEDDED).chunks(chunk) {
        let mut values = rows.concat();
        values.resize(chunk * features.width, 0.0);
        let embeddings = network.embeddings(Rows {
            values,
            width: features.width,
        })?;
        out.width = embeddings.width;
        out.values.extend(&embeddings.values[..rows.len() * embeddings.width]);
    }
    Some(out)
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
