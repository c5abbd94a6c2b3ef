//! MoCo v3 (Chen, Xie, He 2021, arXiv 2104.02057) for ResNets, with the official code's heads, loss and momentum.

use super::predictor::predictor;
use super::readings::of_pair;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, EmaTiming, LargeTensor, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs,
    MethodKeyError, MethodPlan, MethodSpec, Momentum, Outlook, TeacherSpec, two,
};
use barlow_loss::{alignment, moco_v3};
use barlow_model::{HeadNorm, Heads, HeadsConfig, MlpConfig, NormMode};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "moco-v3";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "tells a teacher's embedding of the other view apart from those of all other images of the batch",
    source: "Chen, Xie, He 2021, arXiv 2104.02057; facebookresearch/moco-v3 moco/builder.py",
    recipes: &[
        "sign-digits-moco-v3",
        "cifar10-resnet18-moco-v3",
        "imagenet-resnet50-moco-v3",
    ],
    keys: "[method.moco-v3]",
    charts: &[
        Chart {
            title: "Mean rank of the key among those of the batch",
            readings: &["positive_rank"],
            log: true,
        },
        Chart {
            title: "Alignment, uniformity and agreement with the teacher",
            readings: &["alignment", "uniformity", "unit_deviation", "teacher_distance"],
            log: false,
        },
    ],
};

/// `[method.moco-v3]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Temperature τ (> 0); official 1 for ResNets and 0.2 for vision transformers.
    pub temperature: f64,
    /// Width of the predictor's hidden layer (≥ 1).
    pub predictor: usize,
    /// The teacher's momentum at the first step, in [0, 1]; official 0.99 for 100 and 300 epochs, 0.996 for 1000.
    pub momentum: f64,
    /// The momentum at the end of the run, reached by a cosine.
    pub final_momentum: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            predictor: 4096,
            momentum: 0.99,
            final_momentum: 1.0,
        }
    }
}

impl Config {
    /// No biases; the projector ends with a batch norm without scale and shift, the predictor with none.
    fn heads(&self, mut projector: MlpConfig) -> HeadsConfig {
        let last = projector.layers.last_mut().expect("a projector has a layer");
        last.norm = HeadNorm::Plain;
        let width = last.width;
        HeadsConfig {
            predictor: Some(predictor(self.predictor, width, [false, false])),
            ..HeadsConfig::new(projector)
        }
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_positive(NAME, "temperature", self.temperature)?;
        MethodKeyError::check_width(NAME, "predictor", self.predictor)?;
        MethodKeyError::check_fraction(NAME, "momentum", self.momentum)?;
        MethodKeyError::check_fraction(NAME, "final_momentum", self.final_momentum)
    }

    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        MethodSpec {
            teacher: Some(TeacherSpec {
                momentum: Momentum {
                    start: self.momentum,
                    end: self.final_momentum,
                },
                update: EmaTiming::BeforeForward,
                sees: (0..inputs.views.len()).collect(),
                evaluated: false,
            }),
            ..MethodSpec::plain(NAME, inputs.views.clone(), self.heads(inputs.projector.clone()))
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        Outlook {
            settings: format!("temperature {}, {n} keys for each query", self.temperature),
            floor: Some(0.0),
            // Equal logits, both directions.
            start: Some(4.0 * self.temperature * (n as f64).ln()),
            peak_values: (14 * n * d + 2 * 6 * n * n) as u64,
            tensors: vec![LargeTensor {
                what: "the logits of the loss",
                shape: vec![n, n],
                way_out: "pass a smaller --batch-size",
            }],
        }
    }
}

/// MoCo v3 on two views.
struct MoCoV3 {
    temperature: f64,
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(MoCoV3 {
        temperature: config.temperature,
        plan: config.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for MoCoV3 {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let predictor = heads.predictor.as_ref().expect("it is in the spec");
        let [z_a, z_b] = two(batch.embeddings);
        let [k_a, k_b]: [Tensor<B, 2>; 2] =
            two(batch.teacher).map(|key| Tensor::from_inner(key.expect("the teacher sees both views")));
        let mut readings = of_pair([&z_a, &z_b]);
        readings.push(("teacher_distance", alignment(z_a.clone(), k_a.clone())));
        let [q_a, q_b] = [z_a, z_b].map(|z| predictor.forward(z, NormMode::Train));
        let (one, other) = (moco_v3(q_a, k_b, self.temperature), moco_v3(q_b, k_a, self.temperature));
        readings.push(("positive_rank", (one.positive_rank + other.positive_rank) / 2.0));
        LossOutput {
            loss: one.loss + other.loss,
            readings,
        }
    }
}
