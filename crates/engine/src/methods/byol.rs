//! BYOL (Grill et al. 2020, arXiv 2006.07733), with the official code's heads, loss and momentum.

use super::predictor::predictor;
use super::readings::of_pair;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, EmaTiming, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs, MethodKeyError,
    MethodPlan, MethodSpec, Momentum, Outlook, TeacherSpec, two,
};
use barlow_loss::{alignment, byol};
use barlow_model::{Activation, Heads, HeadsConfig, MlpConfig, NormMode};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "byol";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "predicts a teacher's embedding of the other view; the teacher is a moving average of the network",
    source: "Grill et al. 2020, arXiv 2006.07733; google-deepmind/deepmind-research byol/",
    recipes: &["sign-digits-byol", "cifar10-resnet18-byol", "imagenet-resnet50-byol"],
    keys: "[method.byol]",
    charts: &[Chart {
        title: "Collapse and agreement with the teacher: unit deviation about 1 is healthy, 0 is collapsed",
        readings: &["unit_deviation", "alignment", "teacher_distance"],
        log: false,
    }],
};

/// `[method.byol]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Width of the predictor's hidden layer (≥ 1); official 4096, as the projector's.
    pub predictor: usize,
    /// The teacher's momentum τ at the first step, in [0, 1]; official 0.996 for 1000 epochs, 0.99 for 100 and 300, 0.97 for 40.
    pub momentum: f64,
    /// τ at the end of the run, reached by a cosine; official 1.
    pub final_momentum: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            predictor: 4096,
            momentum: 0.996,
            final_momentum: 1.0,
        }
    }
}

impl Config {
    /// Projector and predictor have one form: hidden layers with a bias, batch norm and ReLU, the last without a bias.
    fn heads(&self, mut projector: MlpConfig) -> HeadsConfig {
        for layer in &mut projector.layers {
            layer.bias = layer.activation != Activation::None;
        }
        let width = projector.output_width();
        HeadsConfig {
            predictor: Some(predictor(self.predictor, width, [true, false])),
            ..HeadsConfig::new(projector)
        }
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_width(NAME, "predictor", self.predictor)?;
        MethodKeyError::check_fraction(NAME, "momentum", self.momentum)?;
        MethodKeyError::check_fraction(NAME, "final_momentum", self.final_momentum)
    }

    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let heads = self.heads(inputs.projector.clone());
        MethodSpec {
            teacher: Some(TeacherSpec {
                momentum: Momentum {
                    start: self.momentum,
                    end: self.final_momentum,
                },
                update: EmaTiming::AfterStep,
                sees: (0..inputs.views.len()).collect(),
                evaluated: false,
            }),
            ..MethodSpec::plain(NAME, inputs.views.clone(), heads)
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        Outlook {
            settings: "squared distance of predictions and targets, both directions".to_owned(),
            floor: Some(0.0),
            start: None,
            // Of both views the embeddings, predictions and targets, of unit length too, and the gradients; the readings' N × N
            // kernel.
            peak_values: (14 * n * d + 3 * n * n) as u64,
            tensors: Vec::new(),
        }
    }
}

/// BYOL on two views.
struct Byol {
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(Byol {
        plan: config.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for Byol {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let predictor = heads.predictor.as_ref().expect("it is in the spec");
        let [z_a, z_b] = two(batch.embeddings);
        let targets = two(batch.teacher).map(|target| Tensor::from_inner(target.expect("the teacher sees both views")));
        let mut readings = of_pair([&z_a, &z_b]);
        readings.push(("teacher_distance", alignment(z_a.clone(), targets[0].clone())));
        // A pass per view, as the network's: each has its own batch statistics.
        let predictions = [z_a, z_b].map(|z| predictor.forward(z, NormMode::Train));
        LossOutput {
            loss: byol(predictions, targets),
            readings,
        }
    }
}
