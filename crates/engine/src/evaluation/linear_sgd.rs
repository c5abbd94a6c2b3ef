//! The official linear protocol: classifiers trained by SGD on the features of random crops of the training images, the backbone
//! frozen and in `Eval` mode. Several rates and decays share one pass over the images.
//!
//! Source: facebookresearch/barlowtwins, `evaluate.py`. Views are resized by bicubic interpolation as in pre-training; there it is
//! bilinear.

use super::features::FeaturePass;
use super::watch::{EvaluationError, Watch};
use super::{LabelledFeatures, Network};
use crate::config::Config;
use crate::files::write_atomic;
use crate::plan::loader_config;
use crate::sources::Sources;
use anyhow::{Context, Result};
use barlow_augment::{ViewConfig, ViewGroup, Views};
use barlow_data::{HostBatch, LoaderConfig, ViewLoader};
use barlow_eval::{SgdCorrect, SgdHead, SgdHeads, SgdState};
use barlow_model::{HostTensor, SafetensorsFile, StateDict, normal_values, read_safetensors, save_safetensors};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Standard deviation of the initial weights, as in the official code.
const INITIAL_DEVIATION: f64 = 0.01;
const MOMENTUM: f64 = 0.9;

/// Settings of the protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdProtocol {
    /// Passes over the training images; the rate falls by a cosine, epoch by epoch.
    pub epochs: u64,
    /// Images per step; the last, smaller batch of an epoch counts.
    pub batch_size: usize,
    /// Learning rates; each is tried with each weight decay.
    pub rates: Vec<f64>,
    /// Weight decays.
    pub weight_decays: Vec<f64>,
    /// Seed of the initial weights, the order and the crops.
    pub seed: u64,
}

impl Default for SgdProtocol {
    /// The official settings.
    fn default() -> Self {
        Self {
            epochs: 100,
            batch_size: 256,
            rates: vec![0.3],
            weight_decays: vec![1e-6],
            seed: 0,
        }
    }
}

/// Accuracy after an epoch, fractions of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochAccuracy {
    /// Of the highest score.
    pub top1: f64,
    /// Among the five highest; null with five classes or fewer.
    pub top5: Option<f64>,
    /// Mean training loss of the epoch.
    pub loss: f64,
}

/// A classifier's results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdResult {
    /// Its learning rate.
    pub rate: f64,
    /// Its weight decay.
    pub weight_decay: f64,
    /// After every epoch.
    pub epochs: Vec<EpochAccuracy>,
}

impl SgdResult {
    /// After the last epoch: the protocol's result.
    ///
    /// # Panics
    /// Before the first epoch.
    pub fn last(&self) -> EpochAccuracy {
        *self.epochs.last().expect("a classifier has epochs")
    }

    /// The highest top-1 of any epoch, which the official code prints beside it; chosen on the test images, so it flatters.
    pub fn best(&self) -> EpochAccuracy {
        let best = self.epochs.iter().max_by(|a, b| a.top1.total_cmp(&b.top1));
        *best.expect("a classifier has epochs")
    }
}

/// What a run of the protocol is: a stored state of another one is not continued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stored {
    protocol: SgdProtocol,
    /// Hash of weights, images and pixels.
    network: String,
    results: Vec<SgdResult>,
}

/// Trains and evaluates the classifiers. After every epoch the state is written to `state`, from which the same protocol on the
/// same network continues (`network_hash` tells it from others), or returns the results if none is left; the caller removes it.
///
/// # Errors
/// If an image cannot be read, the state cannot be written, or it should stop.
pub fn linear_sgd(
    network: &dyn Network,
    network_hash: &str,
    sources: &Sources,
    config: &Config,
    protocol: &SgdProtocol,
    state: &Path,
    watch: &Watch<'_>,
) -> Result<Vec<SgdResult>, EvaluationError> {
    let test = sources.test.as_ref().context("there are no test images")?;
    let classes = sources.classes.len();
    let mut training = Training::new(network, network_hash, protocol, classes);
    training.restore(state, watch);
    if training.epochs_done() == protocol.epochs {
        return Ok(training.stored.results);
    }
    let pass = FeaturePass::new(config, sources.normalization.clone())?;
    let test = pass.labelled(network, test.as_ref(), "test", watch)?;
    let loader = loader(sources, config, protocol)?;
    let steps = loader.steps_per_epoch();
    let total = steps * protocol.epochs as usize;
    let mut phase = watch.phase("training linear classifiers by SGD".to_owned(), total);
    for epoch in training.epochs_done()..protocol.epochs {
        let factor = (1.0 + (std::f64::consts::PI * epoch as f64 / protocol.epochs as f64).cos()) / 2.0;
        let mut losses = vec![0.0; training.heads.heads().len()];
        for (step, batch) in loader.epoch(epoch, 0).enumerate() {
            phase.at(epoch as usize * steps + step)?;
            let batch = batch.map_err(anyhow::Error::from)?;
            let (rows, labels) = features(network, batch, protocol.batch_size)?;
            let step = training.heads.step(&rows, &labels, factor);
            losses
                .iter_mut()
                .zip(step)
                .for_each(|(sum, loss)| *sum += loss / steps as f64);
        }
        training.end_epoch(&losses, &test, classes);
        training.save(state)?;
    }
    Ok(training.stored.results)
}

struct Training {
    heads: SgdHeads,
    stored: Stored,
}

impl Training {
    fn new(network: &dyn Network, network_hash: &str, protocol: &SgdProtocol, classes: usize) -> Self {
        let width = network.width();
        let initial = normal_values(protocol.seed, "linear.weight", classes * width, INITIAL_DEVIATION);
        let pairs = protocol.rates.iter().flat_map(|&rate| {
            let decays = protocol.weight_decays.iter();
            decays.map(move |&weight_decay| SgdHead { rate, weight_decay })
        });
        let heads: Vec<SgdHead> = pairs.collect();
        let result = |head: &SgdHead| SgdResult {
            rate: head.rate,
            weight_decay: head.weight_decay,
            epochs: Vec::new(),
        };
        Self {
            stored: Stored {
                protocol: protocol.clone(),
                network: network_hash.to_owned(),
                results: heads.iter().map(result).collect(),
            },
            heads: SgdHeads::new(heads, width, classes, MOMENTUM, &initial),
        }
    }

    fn epochs_done(&self) -> u64 {
        self.stored.results[0].epochs.len() as u64
    }

    fn end_epoch(&mut self, losses: &[f64], test: &LabelledFeatures, classes: usize) {
        let correct = self.heads.correct(&test.rows, &test.labels);
        for ((result, correct), &loss) in self.stored.results.iter_mut().zip(correct).zip(losses) {
            let SgdCorrect { images, top1, top5 } = correct;
            let fraction = |count: usize| count as f64 / images.max(1) as f64;
            result.epochs.push(EpochAccuracy {
                top1: fraction(top1),
                top5: (classes > 5).then(|| fraction(top5)),
                loss,
            });
        }
    }

    fn save(&self, path: &Path) -> Result<()> {
        let SgdState {
            weight,
            bias,
            weight_momentum,
            bias_momentum,
        } = self.heads.state();
        let tensors = [
            ("weight", weight),
            ("bias", bias),
            ("weight_momentum", weight_momentum),
            ("bias_momentum", bias_momentum),
        ];
        let tensor = |(name, data): (&str, Vec<f32>)| {
            let shape = vec![data.len()];
            (name.to_owned(), HostTensor { shape, data })
        };
        let state: StateDict = tensors.into_iter().map(tensor).collect();
        let entry = serde_json::to_string(&self.stored)?;
        write_atomic(path, &save_safetensors(&state, None, Some(("linear", &entry)))?)
    }

    /// Continues from the file, if it is of the same protocol and network; a file of another is replaced later.
    fn restore(&mut self, path: &Path, watch: &Watch<'_>) {
        let Some(SafetensorsFile {
            mut tensors, metadata, ..
        }) = (std::fs::read(path).ok()).and_then(|bytes| read_safetensors(&bytes).ok())
        else {
            return;
        };
        let entry = metadata.get("linear").map(String::as_str).unwrap_or_default();
        let stored = serde_json::from_str::<Stored>(entry).ok().filter(|stored| {
            let same = (&stored.protocol, &stored.network) == (&self.stored.protocol, &self.stored.network);
            same && stored.results.len() == self.stored.results.len()
        });
        let mut take = |name: &str| tensors.remove(name).map_or_else(Vec::new, |tensor| tensor.data);
        let state = SgdState {
            weight: take("weight"),
            bias: take("bias"),
            weight_momentum: take("weight_momentum"),
            bias_momentum: take("bias_momentum"),
        };
        if let Some(stored) = stored
            && self.heads.restore(state)
        {
            self.stored = stored;
            watch.console.line(&format!(
                "evaluation  continues after epoch {} of {}",
                self.epochs_done(),
                self.stored.protocol.epochs
            ));
        }
    }
}

/// The training images' random crops: crop and flip of the recipe's first view, nothing else, at the size of the evaluation.
fn loader(sources: &Sources, config: &Config, protocol: &SgdProtocol) -> Result<ViewLoader> {
    let (a, _) = config.views.resolve();
    let mut view = ViewConfig {
        crop_scale: a.crop_scale,
        crop_ratio: a.crop_ratio,
        flip: a.flip,
        greyscale: 0.0,
        solarize: 0.0,
        ..a
    };
    view.jitter.p = 0.0;
    view.blur.p = 0.0;
    let group = ViewGroup {
        name: "linear".to_owned(),
        count: 1,
        size: config.eval.crop,
        view,
    };
    let views = Views::new(&[group], sources.normalization.clone())?;
    let config = LoaderConfig {
        batch_size: protocol.batch_size.min(sources.train.len()),
        seed: protocol.seed,
        drop_last: false,
        ..loader_config(config)
    };
    Ok(ViewLoader::new(sources.train.clone(), views, config)?)
}

/// Features and labels of a batch, which is padded to a constant size: a GPU tunes its kernels for every new shape.
fn features(network: &dyn Network, batch: HostBatch, size: usize) -> Result<(Vec<f32>, Vec<usize>)> {
    let HostBatch {
        mut views,
        n,
        channels,
        labels,
        ..
    } = batch;
    let labels: Option<Vec<usize>> = labels.into_iter().collect();
    let labels = labels.context("a set with classes has labels")?;
    let view = views.pop().context("a batch has a view")?;
    let (mut pixels, side) = (view.pixels, view.size);
    pixels.resize(size.max(n) * channels * side * side, 0.0);
    let mut rows = network.representations(pixels, [size.max(n), channels, side, side]);
    rows.values.truncate(n * rows.width);
    Ok((rows.values, labels))
}
