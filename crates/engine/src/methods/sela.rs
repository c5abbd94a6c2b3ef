//! SeLa (Asano, Rupprecht, Vedaldi 2020, arXiv 1911.05371): classification of one view by labels that optimal transport balances
//! over the whole training set, with the official code's heads and schedule of relabellings.
//!
//! The heads are the projector's last layer: its width is heads × K, which is the same as `heads` linear layers of K outputs.

use crate::backend::TrainBackend;
use crate::evaluation::to_host;
use crate::method::{
    Chart, Clock, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs, MethodKeyError,
    MethodPlan, MethodSpec, Outlook, WholeSet,
};
use crate::optim::{ParamRule, Select};
use barlow_augment::keyed_rng;
use barlow_loss::{CodeUse, SelaConfig, SelaScores, code_use, sela, top1};
use barlow_model::{Heads, HeadsConfig, HostTensor, MlpConfig, StateDict};
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor, TensorData};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::ops::Range;

pub(super) const NAME: &str = "sela";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "classifies one view by labels that optimal transport spreads evenly over the whole training set",
    source: "Asano, Rupprecht, Vedaldi 2020, arXiv 1911.05371; yukimasano/self-label main.py, sinkhornknopp.py",
    recipes: &["sign-digits-sela", "cifar10-resnet18-sela", "imagenet-resnet50-sela"],
    keys: "[method.sela]",
    charts: &[
        Chart {
            title: "Accuracy on the labels, and fraction of them that the last relabelling changed",
            readings: &["label_top1", "labels_changed"],
            log: false,
        },
        Chart {
            title: "Predictions: fraction of the labels in use, and entropy, both in [0, 1]",
            readings: &["prototype_use", "code_entropy"],
            log: false,
        },
    ],
};

/// Stream of the first labels in [`keyed_rng`]; no view draws from it.
const LABELS_STREAM: u64 = 0x7365_6c61_0000;
const LABELS: &str = "labels";
const CHANGED: &str = "labels_changed";
/// Logits that are computed at once while labelling.
const LOGITS_AT_ONCE: usize = 1 << 22;

/// `[method.sela]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Number of heads (≥ 1), each with labels of its own; official 10. It divides the last width of `model.projector`, and the
    /// quotient is the number of labels K of each: official "30000" for 10 heads of 3000 labels, without a layer before it.
    pub heads: usize,
    /// Power λ of the probabilities (> 0): higher is closer to the hard optimum. Official 25 on ImageNet and 10 on CIFAR.
    pub lambda: f64,
    /// The transport is solved up to this error (> 0). Official 0.1 on ImageNet and 0.01 on CIFAR.
    pub tolerance: f64,
    /// Number of relabellings (≥ 1), each a pass over all training images. Official 100 on ImageNet and 400, one per epoch, on CIFAR.
    pub relabellings: usize,
    /// The fraction of the run at relabelling i of n is (i / (n − 1)) to this power (> 0): 2 relabels more often at the start, 1
    /// evenly. Official 2 on ImageNet and 1 on CIFAR.
    pub relabelling_power: f64,
    /// Each relabelling is of one head, in turn, and not of all; official on CIFAR.
    pub one_head: bool,
}

impl Default for Config {
    /// One head, so that the projector of any recipe fits; else the official values for ImageNet.
    fn default() -> Self {
        let SelaConfig { lambda, tolerance, .. } = SelaConfig::default();
        Self {
            heads: 1,
            lambda,
            tolerance,
            relabellings: 100,
            relabelling_power: 2.0,
            one_head: false,
        }
    }
}

impl Config {
    /// Labels K of each head.
    fn labels(&self, projector: &MlpConfig) -> usize {
        (projector.output_width() / self.heads.max(1)).max(1)
    }

    /// The number of the relabelling that is due before a step. Of several that fall between two steps the last one counts.
    fn relabelling(&self, clock: Clock) -> Option<usize> {
        let epochs = clock.total_steps as f64 / clock.steps_per_epoch.max(1) as f64;
        let last = (self.relabellings - 1).max(1) as f64;
        // The last one comes after the last step, as in the official code: its labels would not be used.
        let time = |number: usize| (epochs + 0.01) * (number as f64 / last).powf(self.relabelling_power);
        let due_by = |epoch: f64| {
            (0..self.relabellings)
                .take_while(|&number| time(number) <= epoch)
                .count()
        };
        let now = due_by(clock.epoch());
        let before = match clock.step {
            0 => 0,
            step => due_by(
                Clock {
                    step: step - 1,
                    ..clock
                }
                .epoch(),
            ),
        };
        (now > before).then(|| now - 1)
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_width(NAME, "heads", self.heads)?;
        MethodKeyError::check_positive(NAME, "lambda", self.lambda)?;
        MethodKeyError::check_positive(NAME, "tolerance", self.tolerance)?;
        MethodKeyError::check_width(NAME, "relabellings", self.relabellings)?;
        MethodKeyError::check_positive(NAME, "relabelling_power", self.relabelling_power)
    }

    fn check(&self, inputs: &MethodInputs) -> Result<(), MethodKeyError> {
        let width = inputs.projector.output_width();
        if width.is_multiple_of(self.heads) && width / self.heads >= 2 {
            return Ok(());
        }
        let allowed = format!(
            "it must divide the last width of model.projector, {width}, into at least two labels for each head; set the projector \
             to heads x labels, such as \"{}\"",
            self.heads * 128
        );
        Err(MethodKeyError::new(NAME, "heads", self.heads, &allowed))
    }

    /// One view; biases in all layers; weight decay on everything, as torch's SGD has it.
    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let mut projector = inputs.projector.clone();
        for layer in &mut projector.layers {
            layer.bias = true;
        }
        MethodSpec {
            whole_set_scores: Some(self.labels(&projector)),
            rules: vec![ParamRule {
                decay: Some(true),
                ..ParamRule::new(Select::All)
            }],
            ..MethodSpec::plain(NAME, vec![inputs.views[0].clone()], HeadsConfig::new(projector))
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, width) = (inputs.batch_size, inputs.projector.output_width());
        let k = self.labels(&inputs.projector);
        let which = if self.one_head { "one head in turn" } else { "all heads" };
        Outlook {
            settings: format!(
                "{} heads of {k} labels, {} passes over all images to relabel {which}, lambda {}",
                self.heads, self.relabellings, self.lambda
            ),
            floor: Some(0.0),
            start: Some((k as f64).ln()),
            // The logits of all heads and their gradients; of one head its log softmax, the masked one, and a softmax for the readings.
            peak_values: (2 * n * width + 4 * n * k) as u64,
            tensors: Vec::new(),
        }
    }
}

/// SeLa on view a.
struct SeLa {
    config: Config,
    plan: MethodPlan,
    /// Labels per head K.
    k: usize,
    /// [heads, images]; empty before the first relabelling.
    labels: Vec<u32>,
    /// Fraction of the labels that the last relabelling changed.
    changed: f32,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(SeLa {
        config: config.clone(),
        plan: config.plan(inputs),
        k: config.labels(&inputs.projector),
        labels: Vec::new(),
        changed: 0.0,
    })
}

/// Random labels of each head, as many of each as of any other.
fn first_labels(heads: usize, images: usize, k: usize, seed: u64) -> Vec<u32> {
    let of_head = |head: usize| {
        let mut labels: Vec<u32> = (0..images).map(|image| (image % k) as u32).collect();
        let mut rng = keyed_rng(seed, head as u64, 0, LABELS_STREAM);
        for last in (1..images).rev() {
            labels.swap(last, rng.random_range(0..=last as u64) as usize);
        }
        labels
    };
    (0..heads).flat_map(of_head).collect()
}

impl SeLa {
    /// The columns of a head in the projector's output.
    fn columns(&self, head: usize) -> Range<usize> {
        head * self.k..(head + 1) * self.k
    }

    /// Images with labels.
    fn images(&self) -> usize {
        self.labels.len() / self.config.heads
    }
}

impl<B: TrainBackend> Method<B> for SeLa {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn codes(&self) -> Option<usize> {
        Some(self.k)
    }

    fn wants_whole_set(&self, clock: Clock) -> bool {
        self.config.relabelling(clock).is_some()
    }

    fn whole_set(
        &mut self,
        heads: &Heads<B::InnerBackend>,
        set: &WholeSet,
        clock: Clock,
        seed: u64,
        stop: &dyn Fn() -> bool,
    ) -> bool {
        let number = self.config.relabelling(clock).unwrap_or_default();
        let (count, images) = (self.config.heads, set.images());
        let mut labels = if self.images() == images {
            self.labels.clone()
        } else {
            first_labels(count, images, self.k, seed)
        };
        let due = if self.config.one_head {
            number % count..number % count + 1
        } else {
            0..count
        };
        let seen = set.seen();
        let at_once = (LOGITS_AT_ONCE / self.k.max(set.width())).max(1);
        let device = heads.projector.devices().remove(0);
        let mut changed = 0;
        for head in due.clone() {
            let mut scores = SelaScores::new(
                self.k,
                SelaConfig {
                    lambda: self.config.lambda,
                    tolerance: self.config.tolerance,
                    ..SelaConfig::default()
                },
            );
            scores.reserve(seen.len());
            for images in seen.chunks(at_once) {
                if stop() {
                    return false;
                }
                let rows = TensorData::new(set.rows(images), [images.len(), set.width()]);
                let rows = Tensor::from_data(rows, &device);
                scores.push(&to_host(heads.projector.forward_last(rows, self.columns(head))));
            }
            let Some(found) = scores.labels(stop) else {
                return false;
            };
            for (&image, label) in seen.iter().zip(found.labels) {
                let old = &mut labels[head * images + image];
                changed += usize::from(*old != label as u32);
                *old = label as u32;
            }
        }
        self.labels = labels;
        self.changed = changed as f32 / (due.len() * seen.len()).max(1) as f32;
        true
    }

    fn loss(&mut self, _heads: &Heads<B>, mut batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let logits = batch.embeddings.pop().expect("the spec has one view");
        let ([n, _], device, images) = (logits.dims(), logits.device(), self.images());
        assert!(images > 0, "labels come with a pass over the whole set");
        let head = |head: usize| {
            let logits = logits.clone().narrow(1, head * self.k, self.k);
            let label = |&image: &usize| self.labels[head * images + image] as usize;
            (logits, batch.indices.iter().map(label).collect::<Vec<usize>>())
        };
        let loss = (0..self.config.heads).map(|number| {
            let (logits, labels) = head(number);
            let labels: Vec<i32> = labels.into_iter().map(|label| label as i32).collect();
            let labels = Tensor::<B, 1, Int>::from_data(TensorData::new(labels, [n]), &device);
            sela(logits, labels)
        });
        let loss = loss.reduce(|sum, loss| sum + loss).expect("there is a head");
        let (first, labels) = head(0);
        let first = first.inner();
        let top1 = top1(first.clone(), &labels);
        let CodeUse { entropy, prototypes } = code_use(softmax(first, 1));
        let changed = Tensor::from_data(TensorData::new(vec![self.changed], [1]), &device);
        let plain = |reading: Tensor<B::InnerBackend, 1>| Tensor::from_inner(reading);
        LossOutput {
            loss: loss.div_scalar(self.config.heads as f64),
            readings: vec![
                ("label_top1", plain(top1)),
                (CHANGED, changed),
                ("prototype_use", plain(prototypes)),
                ("code_entropy", plain(entropy)),
            ],
        }
    }

    fn state(&self) -> StateDict {
        if self.labels.is_empty() {
            return StateDict::new();
        }
        // Labels are below 2^20, which 32-bit floats hold exactly.
        let labels = HostTensor {
            shape: vec![self.config.heads, self.images()],
            data: self.labels.iter().map(|&label| label as f32).collect(),
        };
        let changed = HostTensor {
            shape: vec![1],
            data: vec![self.changed],
        };
        [(LABELS.to_owned(), labels), (CHANGED.to_owned(), changed)].into()
    }

    fn load_state(&mut self, state: &StateDict, _device: &B::Device) -> Result<(), String> {
        self.labels = Vec::new();
        for (key, HostTensor { shape, data }) in state {
            match (key.as_str(), &shape[..]) {
                (LABELS, &[heads, images]) if heads == self.config.heads && data.len() == heads * images => {
                    let label = |&value: &f32| {
                        let fits = value >= 0.0 && value < self.k as f32 && value.fract() == 0.0;
                        fits.then_some(value as u32)
                            .ok_or_else(|| format!("{value} is no label of {}", self.k))
                    };
                    self.labels = data.iter().map(label).collect::<Result<_, _>>()?;
                }
                (CHANGED, &[1]) if data.len() == 1 => self.changed = data[0],
                _ => {
                    return Err(format!(
                        "{key} of shape {shape:?} is no table of the labels of {} heads; was method.sela.heads changed?",
                        self.config.heads
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::ViewsConfig;
    use barlow_model::ProjectorConfig;

    fn inputs(width: usize) -> MethodInputs {
        MethodInputs {
            views: ViewsConfig::default().groups(),
            projector: ProjectorConfig { widths: vec![width] }.mlp(true),
            batch_size: 8,
            largest_buffer: None,
        }
    }

    fn steps(config: &Config, epochs: u64, steps_per_epoch: u64) -> Vec<(u64, usize)> {
        let at = |step| {
            let clock = Clock {
                step,
                total_steps: epochs * steps_per_epoch,
                steps_per_epoch,
            };
            config.relabelling(clock).map(|number| (step, number))
        };
        (0..epochs * steps_per_epoch).filter_map(at).collect()
    }

    #[test]
    fn relabellings_are_at_the_official_times() {
        // (epochs + 1.01) · linspace(0, 1, 100)², with the 401 epochs that 400 run for: 0, 0.0409, 0.1637, 0.3682 epochs..
        let config = Config::default();
        let at = |step| {
            config.relabelling(Clock {
                step,
                total_steps: 401 * 5004,
                steps_per_epoch: 5004,
            })
        };
        assert_eq!([0, 205, 819, 1843].map(at), [0, 1, 2, 3].map(Some));
        assert_eq!([1, 204, 206, 818, 820, 1842].map(at), [None; 6]);
        // The last one is after the last step.
        assert_eq!(at(401 * 5004 - 1), None);
        // One per epoch; with fewer steps than relabellings one per step.
        let config = Config {
            relabelling_power: 1.0,
            relabellings: 9,
            ..config
        };
        assert_eq!(
            steps(&config, 8, 10).iter().map(|due| due.0).collect::<Vec<_>>(),
            [0, 11, 21, 31, 41, 51, 61, 71]
        );
        assert_eq!(steps(&config, 1, 3), [(0, 0), (1, 2), (2, 5)]);
        let once = Config {
            relabellings: 1,
            ..config
        };
        assert_eq!(steps(&once, 8, 10), [(0, 0)]);
    }

    #[test]
    fn heads_share_the_projector_s_width_evenly() {
        let config = Config {
            heads: 3,
            ..Config::default()
        };
        assert_eq!(config.check(&inputs(12)), Ok(()));
        for width in [10, 3] {
            let line = config.check(&inputs(width)).unwrap_err().to_string();
            assert!(
                line.contains("method.sela.heads") && line.contains("model.projector"),
                "{line}"
            );
        }
        let spec = config.spec(&inputs(12));
        assert_eq!(spec.groups_of_views(), [0]);
        assert!(spec.heads.projector.layers[0].bias);
    }

    #[test]
    fn the_first_labels_are_balanced_and_differ_between_heads() {
        let labels = first_labels(2, 50, 7, 3);
        let (one, two) = labels.split_at(50);
        assert_ne!(one, two);
        for head in [one, two] {
            for label in 0..7 {
                let count = head.iter().filter(|&&found| found == label).count();
                assert!((7..=8).contains(&count), "{count} of {label}");
            }
        }
        assert_eq!(labels, first_labels(2, 50, 7, 3));
    }
}
