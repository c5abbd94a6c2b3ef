//! Mix-BT (Bandara, De Melo, Patel 2023, arXiv 2312.02151): Barlow Twins with mixed images as a regulariser, with the official
//! programs' losses.

use super::readings::of_pair;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, Clock, DerivedView, LargeTensor, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition,
    MethodInputs, MethodKeyError, MethodPlan, MethodSpec, Outlook,
};
use barlow_augment::keyed_rng;
use barlow_data::{HostBatch, HostView, shuffled_indices};
use barlow_loss::{MixBtConfig, MixBtForm, MixBtOutput, Mixture, mix_bt};
use barlow_model::{Heads, HeadsConfig};
use burn::tensor::{Int, Tensor};
use rand::RngExt;
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "mix-bt";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "Barlow Twins whose embeddings of mixed images shall correlate as the mixture of their embeddings",
    source: "Bandara, De Melo, Patel 2023, arXiv 2312.02151; wgcban/mix-bt main.py, main_imagenet.py",
    recipes: &["sign-digits-mix-bt"],
    keys: "[method.mix-bt]",
    charts: &[
        Chart {
            title: "The two terms and the regulariser",
            readings: &["invariance", "redundancy_reduction", "regulariser"],
            log: true,
        },
        Chart {
            title: "Alignment and uniformity",
            readings: &["alignment", "uniformity", "unit_deviation"],
            log: false,
        },
    ],
};

/// Stream of the mixture's weight in [`keyed_rng`], with the step in the epoch's place; no view draws from it.
const WEIGHT_STREAM: u64 = u64::MAX - 2;
/// Added to the run's seed by exclusive or: the partners' order is another one than the images' of an epoch.
const PARTNER_STREAM: u64 = 0x006d_6978_2d62_7400;

/// `[method.mix-bt]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The official program for ImageNet, not that for small images: no unit length of the rows, half of the regulariser, and
    /// view b in the place of view a in its second target.
    pub imagenet: bool,
    /// Weight λ of the redundancy-reduction term (≥ 0); official 1/128 for small images and 0.0051 for ImageNet.
    pub lambda: f64,
    /// Weight of the regulariser (≥ 0), which is multiplied by λ too; official 4 for small images and 1 for ImageNet.
    pub mixture: f64,
    /// Epochs in which that weight rises linearly from 0; official 0 for small images and 10 for ImageNet.
    pub mixture_warmup_epochs: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            imagenet: false,
            lambda: 0.0078125,
            mixture: 4.0,
            mixture_warmup_epochs: 0.0,
        }
    }
}

impl Config {
    fn loss(&self, clock: Clock) -> MixBtConfig {
        let risen = match self.mixture_warmup_epochs {
            0.0 => 1.0,
            epochs => (clock.epoch() / epochs).min(1.0),
        };
        MixBtConfig {
            lambda: self.lambda,
            mixture: self.mixture * risen,
            form: if self.imagenet {
                MixBtForm::ImageNet
            } else {
                MixBtForm::Small
            },
        }
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_non_negative(NAME, "lambda", self.lambda)?;
        MethodKeyError::check_non_negative(NAME, "mixture", self.mixture)?;
        MethodKeyError::check_non_negative(NAME, "mixture_warmup_epochs", self.mixture_warmup_epochs)
    }

    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        MethodSpec {
            derived: vec![DerivedView {
                name: "mixed".to_owned(),
                like: 0,
            }],
            ..MethodSpec::plain(NAME, inputs.views.clone(), HeadsConfig::new(inputs.projector.clone()))
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        Outlook {
            settings: format!("lambda {}, mixture {}", self.lambda, self.mixture),
            floor: Some(0.0),
            start: None,
            // Of the three views the embeddings and their gradients, raw and standardised, and two differences; three matrices, their
            // squares and gradients.
            peak_values: (16 * n * d + 9 * d * d) as u64,
            tensors: vec![LargeTensor {
                what: "the correlation matrix of the loss",
                shape: vec![d, d],
                way_out: "lower model.projector",
            }],
        }
    }
}

/// The share of view a, and the partner of each image.
fn mixture(n: usize, clock: Clock, seed: u64) -> (f64, Vec<usize>) {
    // Beta(1, 1) is uniform.
    let alpha = keyed_rng(seed, clock.step, 0, WEIGHT_STREAM).random::<f64>();
    (alpha, shuffled_indices(n, seed ^ PARTNER_STREAM, clock.step))
}

/// Mix-BT on two views and their mixture.
struct MixBt {
    config: Config,
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(MixBt {
        config: config.clone(),
        plan: config.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for MixBt {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn derive(&mut self, batch: &mut HostBatch, clock: Clock, seed: u64) {
        let (alpha, partners) = mixture(batch.n, clock, seed);
        let [a, b, ..] = &batch.views[..] else {
            panic!("a method of two views got {}", batch.views.len())
        };
        assert_eq!(a.size, b.size, "views a and b have one size");
        let values = a.pixels.len() / batch.n.max(1);
        let (of_a, of_b) = (alpha as f32, 1.0 - alpha as f32);
        let mixed = partners.iter().enumerate().flat_map(|(image, &partner)| {
            let first = &a.pixels[image * values..][..values];
            let second = &b.pixels[partner * values..][..values];
            first.iter().zip(second).map(move |(x, y)| of_a * x + of_b * y)
        });
        let view = HostView {
            pixels: mixed.collect(),
            size: a.size,
            group: self.plan.spec.views.len(),
        };
        batch.views.push(view);
    }

    fn loss(&mut self, _heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let [z_a, z_b, mixed]: [Tensor<B, 2>; 3] = batch.embeddings.try_into().expect("views a, b and their mixture");
        let (alpha, partners) = mixture(z_a.dims()[0], batch.clock, batch.seed);
        let partners: Vec<i64> = partners.into_iter().map(|row| row as i64).collect();
        let mixture = Mixture {
            embeddings: mixed,
            permutation: Tensor::<B, 1, Int>::from_data(partners.as_slice(), &z_a.device()),
            alpha,
        };
        let mut readings = of_pair([&z_a, &z_b]);
        let MixBtOutput {
            loss,
            invariance,
            redundancy_reduction,
            regulariser,
        } = mix_bt(z_a, z_b, mixture, &self.config.loss(batch.clock));
        readings.extend([
            ("invariance", invariance),
            ("redundancy_reduction", redundancy_reduction),
            ("regulariser", regulariser),
        ]);
        LossOutput { loss, readings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(step: u64) -> Clock {
        Clock {
            step,
            total_steps: 100,
            steps_per_epoch: 10,
        }
    }

    #[test]
    fn a_mixture_is_that_of_its_step_and_seed() {
        let one = mixture(20, clock(3), 5);
        assert_eq!(one, mixture(20, clock(3), 5));
        assert_ne!(one, mixture(20, clock(4), 5));
        assert_ne!(one, mixture(20, clock(3), 6));
        assert!((0.0..1.0).contains(&one.0));
    }

    #[test]
    fn the_regulariser_s_weight_rises() {
        let config = Config {
            mixture: 2.0,
            mixture_warmup_epochs: 2.0,
            ..Config::default()
        };
        assert_eq!(
            [0, 10, 20, 90].map(|step| config.loss(clock(step)).mixture),
            [0.0, 1.0, 2.0, 2.0]
        );
        assert_eq!(Config::default().loss(clock(0)).mixture, 4.0);
    }
}
