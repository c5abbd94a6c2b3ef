//! What a result is of: weights, images, pixels, program and machine. Written beside every number.

use super::request::{EvaluatedRun, EvaluationRequest};
use crate::config::Config;
use crate::evaluation::network_hash;
use crate::sources::{Sources, fingerprint};
use barlow_model::StateDict;
use serde::Serialize;

/// What a result is of.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// The data set.
    pub data: String,
    /// Its images.
    pub images: ImagesEvaluated,
    /// How they were prepared; absent where a recipe says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<Pixels>,
    /// A hash of the weights, the images' names and labels, and the pixels' settings.
    pub network: String,
    /// Step of the checkpoint.
    pub step: u64,
    /// Seed of the run.
    pub run_seed: u64,
    /// Backend and device of the features.
    pub device: String,
    /// Version of this program.
    pub version: &'static str,
    /// Wall time of the evaluation.
    pub seconds: f64,
}

/// The images of an evaluation.
#[derive(Clone, Debug, Serialize)]
pub struct ImagesEvaluated {
    /// Training images.
    pub train: usize,
    /// Test images.
    pub test: usize,
    /// A digest of the training images' names and labels.
    pub train_fingerprint: String,
    /// The same of the test images.
    pub test_fingerprint: Option<String>,
}

/// How images become pixels.
#[derive(Clone, Debug, Serialize)]
pub struct Pixels {
    /// Shorter side after the resize.
    pub resize: usize,
    /// Side of the square that the network sees.
    pub crop: usize,
}

impl Provenance {
    pub(super) fn of(
        request: &EvaluationRequest,
        run: &EvaluatedRun,
        weights: &StateDict,
        step: u64,
        sources: &Sources,
    ) -> Self {
        let config: &Config = &run.config;
        let counts = sources.counts();
        Self {
            data: config.data.path.to_string_lossy().into_owned(),
            images: ImagesEvaluated {
                train: counts.train,
                test: counts.test,
                train_fingerprint: fingerprint(sources.train.as_ref()),
                test_fingerprint: sources.test.as_ref().map(|test| fingerprint(test.as_ref())),
            },
            pixels: Some(Pixels {
                resize: config.eval.resize,
                crop: config.eval.crop,
            }),
            network: network_hash(weights, sources, config),
            step,
            run_seed: config.run.seed,
            device: format!("{} on {}", request.label.backend, request.label.name),
            version: env!("CARGO_PKG_VERSION"),
            seconds: 0.0,
        }
    }
}
