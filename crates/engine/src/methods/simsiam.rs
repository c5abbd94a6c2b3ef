//! SimSiam (Chen, He 2020, arXiv 2011.10566), with the official code's heads and parameter groups.

use super::predictor::predictor;
use super::readings::of_pair;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs, MethodKeyError, MethodPlan,
    MethodSpec, Outlook, two,
};
use crate::optim::{ParamRule, RateRule, Select};
use barlow_loss::simsiam;
use barlow_model::{HeadNorm, Heads, HeadsConfig, MlpConfig, NormMode};
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "simsiam";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "predicts each view's embedding from the other's, with the gradient stopped at the target",
    source: "Chen, He 2020, arXiv 2011.10566; facebookresearch/simsiam builder.py, main_simsiam.py",
    recipes: &[
        "sign-digits-simsiam",
        "cifar10-resnet18-simsiam",
        "imagenet-resnet50-simsiam",
    ],
    keys: "[method.simsiam]",
    charts: &[Chart {
        title: "Collapse: unit deviation about 1 is healthy, 0 is collapsed",
        readings: &["unit_deviation", "alignment"],
        log: false,
    }],
};

/// `[method.simsiam]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Width of the predictor's hidden layer (≥ 1); official 512, a quarter of the embeddings.
    pub predictor: usize,
    /// The predictor's rate stays at the peak (`--fix-pred-lr`), which the paper's best results use.
    pub constant_predictor_rate: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            predictor: 512,
            constant_predictor_rate: true,
        }
    }
}

impl Config {
    fn heads(&self, mut projector: MlpConfig) -> HeadsConfig {
        let (last, hidden) = projector.layers.split_last_mut().expect("a projector has a layer");
        // The official last layer has a frozen bias, which the batch norm after it cancels.
        last.norm = match hidden.iter().any(|layer| layer.norm == HeadNorm::None) {
            true => HeadNorm::None,
            false => HeadNorm::Plain,
        };
        let width = last.width;
        HeadsConfig {
            predictor: Some(predictor(self.predictor, width, [false, true])),
            ..HeadsConfig::new(projector)
        }
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_width(NAME, "predictor", self.predictor)
    }

    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        // Weight decay on everything: the official optimiser is torch's SGD over two groups, predictor and all else.
        let mut rules = vec![ParamRule {
            decay: Some(true),
            ..ParamRule::new(Select::All)
        }];
        if self.constant_predictor_rate {
            rules.push(ParamRule {
                rate: Some(RateRule::Constant),
                ..ParamRule::new(Select::Prefix("predictor.".to_owned()))
            });
        }
        MethodSpec {
            rules,
            ..MethodSpec::plain(NAME, inputs.views.clone(), self.heads(inputs.projector.clone()))
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        let rate = if self.constant_predictor_rate {
            "constant"
        } else {
            "scheduled"
        };
        Outlook {
            settings: format!("negative cosine, predictor at a {rate} rate"),
            floor: Some(-1.0),
            start: None,
            // Of both views the embeddings and predictions, of unit length too, and the gradients; the readings' N × N kernel.
            peak_values: (12 * n * d + 3 * n * n) as u64,
            tensors: Vec::new(),
        }
    }
}

/// SimSiam on two views.
struct SimSiam {
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(SimSiam {
        plan: config.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for SimSiam {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let predictor = heads.predictor.as_ref().expect("it is in the spec");
        let [z_a, z_b] = two(batch.embeddings);
        let readings = of_pair([&z_a, &z_b]);
        // A pass per view, as the network's: each has its own batch statistics.
        let predictions = [&z_a, &z_b].map(|z| predictor.forward(z.clone(), NormMode::Train));
        LossOutput {
            loss: simsiam(predictions, [z_a, z_b]),
            readings,
        }
    }
}
