//! Barlow Twins as HSIC maximisation (Tsai, Bai, Morency, Salakhutdinov 2021, arXiv 2104.13712), with the official code's loss.

use super::readings::of_pair;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, LargeTensor, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs, MethodKeyError,
    MethodPlan, MethodSpec, Outlook, two,
};
use barlow_loss::{HsicOutput, hsic};
use barlow_model::{Heads, HeadsConfig};
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "hsic";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "Barlow Twins with off-diagonal targets of -1 on embeddings of unit length",
    source: "Tsai, Bai, Morency, Salakhutdinov 2021, arXiv 2104.13712; yaohungt/Barlow-Twins-HSIC main.py",
    recipes: &["sign-digits-hsic"],
    keys: "[method.hsic]",
    charts: &[
        Chart {
            title: "The two terms",
            readings: &["diagonal", "off_diagonal"],
            log: true,
        },
        Chart {
            title: "Alignment and uniformity",
            readings: &["alignment", "uniformity", "unit_deviation"],
            log: false,
        },
    ],
};

/// `[method.hsic]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Weight λ of the off-diagonal term (≥ 0). Default: 1/D, as in the official code.
    pub lambda: Option<f64>,
}

impl Config {
    fn lambda(&self, inputs: &MethodInputs) -> f64 {
        let d = inputs.projector.output_width();
        self.lambda.unwrap_or(1.0 / d as f64)
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_non_negative(NAME, "lambda", self.lambda.unwrap_or(0.0))
    }

    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        MethodSpec::plain(NAME, inputs.views.clone(), HeadsConfig::new(inputs.projector.clone()))
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        let lambda = self.lambda(inputs);
        Outlook {
            settings: format!("lambda {lambda}"),
            floor: None,
            // C = 0.
            start: Some(d as f64 + lambda * (d * (d - 1)) as f64),
            // Of both views the embeddings and their gradients, raw and standardised; C, its off-diagonal elements, their squares
            // and the gradients of each.
            peak_values: (10 * n * d + 6 * d * d) as u64,
            tensors: vec![LargeTensor {
                what: "the correlation matrix of the loss",
                shape: vec![d, d],
                way_out: "lower model.projector",
            }],
        }
    }
}

/// The method on two views.
struct Hsic {
    lambda: f64,
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(Hsic {
        lambda: config.lambda(inputs),
        plan: config.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for Hsic {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, _heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let [z_a, z_b] = two(batch.embeddings);
        let mut readings = of_pair([&z_a, &z_b]);
        let HsicOutput {
            loss,
            diagonal,
            off_diagonal,
        } = hsic(z_a, z_b, self.lambda);
        readings.extend([("diagonal", diagonal), ("off_diagonal", off_diagonal)]);
        LossOutput { loss, readings }
    }
}
