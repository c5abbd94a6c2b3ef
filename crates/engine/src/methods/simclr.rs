//! SimCLR (Chen, Kornblith, Norouzi, Hinton 2020, arXiv 2002.05709), with the official code's loss, head and joint forward pass.

use super::readings::of_pair;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, LargeTensor, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs, MethodKeyError,
    MethodPlan, MethodSpec, Outlook, Passes, two,
};
use barlow_loss::{NtXentOutput, nt_xent};
use barlow_model::{HeadNorm, Heads, HeadsConfig, MlpConfig};
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "simclr";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "tells the other view of an image apart from the views of all other images of the batch (NT-Xent)",
    source: "Chen, Kornblith, Norouzi, Hinton 2020, arXiv 2002.05709; google-research/simclr objective.py",
    recipes: &[
        "sign-digits-simclr",
        "cifar10-resnet18-simclr",
        "imagenet-resnet50-simclr",
    ],
    keys: "[method.simclr]",
    charts: &[
        Chart {
            title: "Mean rank of the positive among all other views",
            readings: &["positive_rank"],
            log: true,
        },
        Chart {
            title: "Alignment and uniformity",
            readings: &["alignment", "uniformity", "unit_deviation"],
            log: false,
        },
    ],
};

/// `[method.simclr]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Temperature τ (> 0); official 0.1 on ImageNet and 0.5 on CIFAR-10.
    pub temperature: f64,
    /// Factor on the loss (> 0). The official loss adds the means of both views (1); the mean over all 2N views of other libraries
    /// is 0.5.
    pub scale: f64,
    /// Both views in one forward pass, with common batch statistics, as in the official code.
    pub joint: bool,
    /// Batch norm with a scale and no shift after the projector's last layer, as in the official code.
    pub last_norm: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            temperature: 0.1,
            scale: 1.0,
            joint: true,
            last_norm: true,
        }
    }
}

impl Config {
    /// Layers have a bias where no batch norm follows.
    fn projector(&self, mut projector: MlpConfig) -> MlpConfig {
        if let Some(last) = projector.layers.last_mut()
            && self.last_norm
        {
            last.norm = HeadNorm::ScaleOnly;
        }
        for layer in &mut projector.layers {
            layer.bias = layer.norm == HeadNorm::None;
        }
        projector
    }

    /// The least value: positives at cosine 1 and all others at −1/(N − 1), the corners of a simplex.
    fn floor(&self, n: usize) -> f64 {
        let n = n as f64;
        let others = (2.0 * n - 2.0) * (-n / ((n - 1.0) * self.temperature)).exp();
        2.0 * self.scale * others.ln_1p()
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_positive(NAME, "temperature", self.temperature)?;
        MethodKeyError::check_positive(NAME, "scale", self.scale)
    }

    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let heads = HeadsConfig::new(self.projector(inputs.projector.clone()));
        MethodSpec {
            passes: if self.joint { Passes::PerSize } else { Passes::PerView },
            ..MethodSpec::plain(NAME, inputs.views.clone(), heads)
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        Outlook {
            settings: format!("temperature {}, {} other views for each", self.temperature, 2 * n - 1),
            floor: Some(self.floor(n)),
            start: Some(2.0 * self.scale * ((2 * n - 1) as f64).ln()),
            // Of both views the embeddings and their gradients, raw and of unit length; the logits, those without the diagonal,
            // their exponentials, and the gradients of these.
            peak_values: (8 * n * d + 6 * 4 * n * n) as u64,
            tensors: vec![LargeTensor {
                what: "the logits of the loss",
                shape: vec![2 * n, 2 * n],
                way_out: "pass a smaller --batch-size",
            }],
        }
    }
}

/// SimCLR on two views.
struct SimClr {
    config: Config,
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(SimClr {
        config: config.clone(),
        plan: config.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for SimClr {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, _heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let [z_a, z_b] = two(batch.embeddings);
        let mut readings = of_pair([&z_a, &z_b]);
        let NtXentOutput {
            loss,
            positive_similarity,
            positive_rank,
        } = nt_xent(z_a, z_b, self.config.temperature);
        readings.extend([
            ("positive_similarity", positive_similarity),
            ("positive_rank", positive_rank),
        ]);
        LossOutput {
            loss: loss * self.config.scale,
            readings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::ViewsConfig;
    use barlow_model::ProjectorConfig;

    fn inputs(norm: bool) -> MethodInputs {
        MethodInputs {
            views: ViewsConfig::default().groups(),
            projector: ProjectorConfig { widths: vec![32, 16] }.mlp(norm),
            batch_size: 8,
            largest_buffer: None,
        }
    }

    #[test]
    fn the_head_is_the_official_one_or_that_of_small_images() {
        let layers = |config: Config, norm| {
            let layers = config.spec(&inputs(norm)).heads.projector.layers;
            layers.iter().map(|layer| (layer.bias, layer.norm)).collect::<Vec<_>>()
        };
        let official = layers(Config::default(), true);
        assert_eq!(official, [(false, HeadNorm::Affine), (false, HeadNorm::ScaleOnly)]);
        let without = Config {
            last_norm: false,
            ..Config::default()
        };
        assert_eq!(layers(without, false), [(true, HeadNorm::None), (true, HeadNorm::None)]);
    }

    #[test]
    fn the_loss_lies_between_its_floor_and_a_guess() {
        let outlook = Config::default().outlook(&inputs(true));
        assert!((outlook.start.unwrap() - 2.0 * 15f64.ln()).abs() < 1e-12);
        // 14 others at cosine −1/7, so exp(−(8/7)/0.1) each.
        assert!((outlook.floor.unwrap() - 2.0 * (14.0 * (-80.0 / 7.0f64).exp()).ln_1p()).abs() < 1e-12);
    }

    #[test]
    fn a_temperature_of_zero_is_refused() {
        let config = Config {
            temperature: 0.0,
            ..Config::default()
        };
        let line = config.validate().unwrap_err().to_string();
        assert!(line.contains("method.simclr.temperature"), "{line}");
    }
}
