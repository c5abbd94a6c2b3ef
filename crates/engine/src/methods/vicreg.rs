//! VICReg (Bardes, Ponce, LeCun 2022, arXiv 2105.04906), with the official code's terms.

use super::readings::of_pair;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, LargeTensor, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs, MethodKeyError,
    MethodPlan, MethodSpec, Outlook, two,
};
use barlow_loss::{VicRegConfig, VicRegOutput, vicreg, vicreg_takes_gram};
use barlow_model::{Activation, Heads, HeadsConfig};
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "vicreg";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "pulls two views together, holds each feature's deviation above one and its covariances at zero",
    source: "Bardes, Ponce, LeCun 2022, arXiv 2105.04906; facebookresearch/vicreg main_vicreg.py",
    recipes: &[],
    keys: "[method.vicreg]",
    charts: &[
        Chart {
            title: "The three terms",
            readings: &["invariance", "variance", "covariance"],
            log: true,
        },
        Chart {
            title: "Alignment, uniformity and deviation of the embeddings",
            readings: &["alignment", "uniformity", "unit_deviation"],
            log: false,
        },
    ],
};

/// `[method.vicreg]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Weight of the mean squared distance of both views (≥ 0); official 25.
    pub invariance: f64,
    /// Weight of the hinge on the features' standard deviation (≥ 0); official 25, which other libraries write as 12.5 or 50.
    pub variance: f64,
    /// Weight of the squared covariances over D (≥ 0); official 1.
    pub covariance: f64,
}

impl Default for Config {
    fn default() -> Self {
        let VicRegConfig {
            invariance,
            variance,
            covariance,
            ..
        } = VicRegConfig::default();
        Self {
            invariance,
            variance,
            covariance,
        }
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        let weights = [
            ("invariance", self.invariance),
            ("variance", self.variance),
            ("covariance", self.covariance),
        ];
        weights
            .into_iter()
            .try_for_each(|(key, weight)| MethodKeyError::check_non_negative(NAME, key, weight))
    }

    /// As the official projector: hidden layers with a bias, the last without.
    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let mut projector = inputs.projector.clone();
        for layer in &mut projector.layers {
            layer.bias = layer.activation != Activation::None;
        }
        MethodSpec::plain(NAME, inputs.views.clone(), HeadsConfig::new(projector))
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        let (side, what, way_out) = if vicreg_takes_gram(n, d) {
            (n, "the Gram matrix of the loss", "pass a smaller --batch-size")
        } else {
            (d, "the covariance matrix of the loss", "lower model.projector")
        };
        Outlook {
            settings: format!(
                "weights {} (invariance), {} (variance), {} (covariance)",
                self.invariance, self.variance, self.covariance
            ),
            floor: None,
            start: None,
            // Of each view the embeddings and their gradients, raw and centred, and the matrix with its square and their
            // gradients.
            peak_values: (8 * n * d + 8 * side * side) as u64,
            tensors: vec![LargeTensor {
                what,
                shape: vec![side, side],
                way_out,
            }],
        }
    }
}

/// VICReg on two views.
struct VicReg {
    config: VicRegConfig,
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(VicReg {
        config: VicRegConfig {
            invariance: config.invariance,
            variance: config.variance,
            covariance: config.covariance,
            ..VicRegConfig::default()
        },
        plan: config.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for VicReg {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, _heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let [z_a, z_b] = two(batch.embeddings);
        let VicRegOutput {
            loss,
            invariance,
            variance,
            covariance,
        } = vicreg(z_a.clone(), z_b.clone(), &self.config);
        let mut readings = vec![
            ("invariance", invariance),
            ("variance", variance),
            ("covariance", covariance),
        ];
        readings.extend(of_pair([&z_a, &z_b]));
        LossOutput { loss, readings }
    }
}
