//! The official linear protocol: classifiers trained by SGD on the features of random crops of the training images, the backbone
//! frozen and in `Eval` mode. Several rates and decays share one pass over the images. With a trained batch norm before them they are
//! the heads of VISSL for Places and iNaturalist.
//!
//! Sources: facebookresearch/barlowtwins, `evaluate.py`; facebookresearch/vissl, `eval_mlp` and its configs. Views are resized by
//! bicubic interpolation as in pre-training; there it is bilinear.

use super::features::{FeatureOptions, FeaturePass, LabelledFeatures};
use super::layer::FeatureLayer;
use super::network::Network;
use super::watch::{EvaluationError, Watch};
use crate::config::Config;
use crate::files::write_atomic;
use crate::plan::loader_config;
use crate::sources::Sources;
use anyhow::{Context, Result, anyhow};
use barlow_augment::{ViewConfig, ViewGroup, Views};
use barlow_data::{HostBatch, LoaderConfig, ViewLoader};
use barlow_eval::{SgdCorrect, SgdHead, SgdHeads, SgdNormState, SgdState};
use barlow_model::{
    HostTensor, SafetensorsFile, StateDict, normal_values, read_safetensors, save_safetensors, uniform_values,
};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Standard deviation of the initial weights, as in the official code.
const INITIAL_DEVIATION: f64 = 0.01;
const MOMENTUM: f64 = 0.9;

/// Settings of the protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdProtocol {
    /// Passes over the training images.
    pub epochs: u64,
    /// How the rate falls.
    pub schedule: SgdSchedule,
    /// Images per step; the last, smaller batch of an epoch counts.
    pub batch_size: usize,
    /// Learning rates; each is tried with each weight decay.
    pub rates: Vec<f64>,
    /// Weight decays.
    pub weight_decays: Vec<f64>,
    /// Whether a trained batch norm is before each classifier; then weights and biases start as torch's do, and the momentum is
    /// Nesterov's.
    pub norm: bool,
    /// Which values of the network are classified.
    pub layer: FeatureLayer,
    /// Seed of the initial weights, the order and the crops.
    pub seed: u64,
}

/// How the rate falls, epoch by epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SgdSchedule {
    /// A cosine to zero.
    Cosine,
    /// Multiplied by 0.1 after each of these epochs.
    Steps(Vec<u64>),
}

impl SgdSchedule {
    /// The factor of the rate in an epoch, from 0.
    pub fn factor(&self, epoch: u64, epochs: u64) -> f64 {
        match self {
            Self::Cosine => (1.0 + (std::f64::consts::PI * epoch as f64 / epochs as f64).cos()) / 2.0,
            Self::Steps(after) => 0.1f64.powi(after.iter().filter(|&&done| done <= epoch).count() as i32),
        }
    }

    /// VISSL's for Places (14 epochs: 4, 8, 12) and iNaturalist (84: 24, 48, 72): three drops, after 2, 4 and 6 sevenths of the
    /// epochs.
    pub fn three_steps(epochs: u64) -> Self {
        Self::Steps((1..=3).map(|step| step * 2 * epochs / 7).collect())
    }

    /// That of the paper's text: two drops, after a third and two thirds of the epochs.
    pub fn two_steps(epochs: u64) -> Self {
        Self::Steps((1..=2).map(|step| step * epochs / 3).collect())
    }
}

impl SgdProtocol {
    /// VISSL's for Places and iNaturalist, but for its epochs: rate 0.01 for 256 images, weight decay 5e-4, a trained batch norm.
    pub fn normed(epochs: u64, batch_size: usize, schedule: SgdSchedule, layer: FeatureLayer) -> Self {
        Self {
            epochs,
            schedule,
            batch_size,
            rates: vec![0.01 * batch_size as f64 / 256.0],
            weight_decays: vec![5e-4],
            norm: true,
            layer,
            seed: 0,
        }
    }
}

impl Default for SgdProtocol {
    /// The official settings.
    fn default() -> Self {
        Self {
            epochs: 100,
            schedule: SgdSchedule::Cosine,
            batch_size: 256,
            rates: vec![0.3],
            weight_decays: vec![1e-6],
            norm: false,
            layer: FeatureLayer::Pooled,
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
    /// Mean training loss of the epoch; null if it is not finite.
    pub loss: Option<f64>,
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
    let options = FeatureOptions {
        layer: protocol.layer,
        ..FeatureOptions::default()
    };
    let pass = FeaturePass::new(config, sources.normalization.clone())?.with(&options);
    let test = pass.labelled(network, test.as_ref(), "test", watch)?;
    test.check_finite("test")?;
    let loader = loader(sources, config, protocol)?;
    let steps = loader.steps_per_epoch();
    let total = steps * protocol.epochs as usize;
    let mut phase = watch.phase("training linear classifiers by SGD".to_owned(), total);
    for epoch in training.epochs_done()..protocol.epochs {
        let factor = protocol.schedule.factor(epoch, protocol.epochs);
        let mut losses = vec![0.0; training.heads.heads().len()];
        for (step, batch) in loader.epoch(epoch, 0).enumerate() {
            phase.at(epoch as usize * steps + step)?;
            let batch = batch.map_err(anyhow::Error::from)?;
            let (rows, labels) = features(network, batch, protocol)?;
            let step = training.heads.step(&rows, &labels, factor);
            losses
                .iter_mut()
                .zip(step)
                .for_each(|(sum, loss)| *sum += loss / steps as f64);
        }
        if losses.iter().all(|loss| !loss.is_finite()) {
            return Err(anyhow!(
                "every linear classifier diverged in epoch {}: pass lower --rates; if these do not help, the features are not finite",
                epoch + 1
            )
            .into());
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
        let width = network.width() * protocol.layer.positions();
        let (seed, values) = (protocol.seed, classes * width);
        // torch's default is uniform in ±1/√width.
        let bound = 1.0 / (width as f64).sqrt();
        let initial = if protocol.norm {
            uniform_values(seed, "linear.weight", values, bound)
        } else {
            normal_values(seed, "linear.weight", values, INITIAL_DEVIATION)
        };
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
            heads: if protocol.norm {
                let biases = uniform_values(seed, "linear.bias", classes, bound);
                let heads = SgdHeads::new(heads, width, classes, MOMENTUM, &initial).with_biases(&biases);
                heads.with_nesterov().with_norm(network.width())
            } else {
                SgdHeads::new(heads, width, classes, MOMENTUM, &initial)
            },
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
                loss: Some(loss).filter(|loss| loss.is_finite()),
            });
        }
    }

    fn save(&self, path: &Path) -> Result<()> {
        let SgdState {
            weight,
            bias,
            weight_momentum,
            bias_momentum,
            norm,
        } = self.heads.state();
        let mut tensors = vec![
            ("weight", weight),
            ("bias", bias),
            ("weight_momentum", weight_momentum),
            ("bias_momentum", bias_momentum),
        ];
        if let Some(norm) = norm {
            tensors.extend([
                ("norm.running_mean", norm.running_mean),
                ("norm.running_variance", norm.running_variance),
                ("norm.scale", norm.scale),
                ("norm.shift", norm.shift),
                ("norm.scale_momentum", norm.scale_momentum),
                ("norm.shift_momentum", norm.shift_momentum),
            ]);
        }
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
            norm: self.stored.protocol.norm.then(|| SgdNormState {
                running_mean: take("norm.running_mean"),
                running_variance: take("norm.running_variance"),
                scale: take("norm.scale"),
                shift: take("norm.shift"),
                scale_momentum: take("norm.scale_momentum"),
                shift_momentum: take("norm.shift_momentum"),
            }),
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
fn features(network: &dyn Network, batch: HostBatch, protocol: &SgdProtocol) -> Result<(Vec<f32>, Vec<usize>)> {
    let size = protocol.batch_size;
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
    let mut rows = network.features(pixels, [size.max(n), channels, side, side], protocol.layer)?;
    rows.values.truncate(n * rows.width);
    Ok((rows.values, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedules_are_the_published_ones() {
        assert_eq!(SgdSchedule::three_steps(14), SgdSchedule::Steps(vec![4, 8, 12]));
        assert_eq!(SgdSchedule::three_steps(84), SgdSchedule::Steps(vec![24, 48, 72]));
        assert_eq!(SgdSchedule::two_steps(84), SgdSchedule::Steps(vec![28, 56]));
        let places = SgdSchedule::three_steps(14);
        let factors = [0, 3, 4, 11, 12, 13].map(|epoch| places.factor(epoch, 14));
        for (found, expected) in factors.into_iter().zip([1.0, 1.0, 0.1, 0.01, 0.001, 0.001]) {
            assert!((found - expected).abs() < 1e-12, "{factors:?}");
        }
        let cosine = |epoch| SgdSchedule::Cosine.factor(epoch, 100);
        assert!(cosine(0) == 1.0 && (cosine(50) - 0.5).abs() < 1e-12 && cosine(99) > 0.0);
        let places = SgdProtocol::normed(14, 128, places, FeatureLayer::Quarters);
        assert_eq!(places.rates, [0.005]);
    }

    /// One epoch on features of the shipped images beside torch, see `goldens/sign_digits_sgd.py`: the same images in the same order
    /// give the same head.
    #[test]
    fn an_epoch_on_the_shipped_images_gives_the_head_of_torch() {
        let mut config = Config::default();
        config.data.path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/sign-digits-64").into();
        config.data.normalize = crate::config::Normalize::Named(crate::config::NormalizeName::Imagenet);
        let train = crate::sources::open(&config, false, &|_| {}).unwrap().train;
        let mut rows = Vec::new();
        for index in 0..train.len() {
            let image = train.image(index).unwrap();
            for block in 0..64 {
                let sum: f64 = (0..64)
                    .flat_map(|at| {
                        let (y, x) = (block / 8 * 8 + at / 8, block % 8 * 8 + at % 8);
                        &image.pixels()[3 * (64 * y + x)..][..3]
                    })
                    .map(|&value| f64::from(value))
                    .sum();
                rows.push((2.0 * sum / (64.0 * 3.0 * 255.0) - 1.0) as f32);
            }
        }
        let n = train.len();
        assert_eq!(n, 1662);
        let order: Vec<usize> = (0..n).map(|i| (i * 1009 + 17) % n).collect();
        let initial: Vec<f32> = (0..640).map(|k| ((f64::from(k) * 0.7).cos() * 0.01) as f32).collect();
        let head = SgdHead {
            rate: 0.3,
            weight_decay: 1e-6,
        };
        let mut heads = SgdHeads::new(vec![head], 64, 10, MOMENTUM, &initial);
        let mut loss = 0.0;
        for batch in order.chunks(128) {
            let part: Vec<f32> = batch.iter().flat_map(|&i| &rows[64 * i..][..64]).copied().collect();
            let labels: Vec<usize> = batch.iter().map(|&i| train.label(i).unwrap()).collect();
            loss = heads.step(&part, &labels, 1.0)[0];
        }
        let (weight, bias) = heads.classifier(0);
        let found: Vec<f32> = weight.iter().step_by(16).chain(bias).copied().collect();
        assert_eq!(found.len(), SHIPPED.len());
        for (at, (found, expected)) in found.into_iter().zip(SHIPPED).enumerate() {
            assert!(
                (f64::from(found) - expected).abs() < 1e-4,
                "value {at}: {found}, not {expected}"
            );
        }
        assert!((loss - LOSS).abs() < 1e-4, "{loss}");
    }

    const LOSS: f64 = 1.9949076;
    /// Every sixteenth weight, then the biases.
    const SHIPPED: [f64; 50] = [
        -0.0196827, 0.0091046, 0.0018375, -0.0057384, -0.0393112, -0.0704726, -0.0636034, -0.0239516, -0.042393,
        -0.0659243, -0.0591166, -0.0260157, -0.0010895, 0.0090377, 0.0227419, 0.0182215, 0.0071921, 0.0424516,
        0.0427581, 0.0214163, 0.0576387, 0.0762857, 0.0796308, 0.0717157, 0.0029376, -0.0328035, -0.0453811, -0.017309,
        0.0006679, -0.0165448, -0.025873, -0.0260705, 0.0186228, 0.0177448, 0.0017878, -0.0254785, 0.0329476, 0.044924,
        0.0332918, -0.0054349, 0.1274961, -0.0734587, -0.0729666, 0.0082114, -0.0068234, 0.123229, -0.0244036,
        -0.0420768, -0.023778, -0.0154294,
    ];
}
