//! MoCo v2 (Chen, Fan, Girshick, He 2020, arXiv 2003.04297), with the official code's head, queue and momentum.

use crate::backend::TrainBackend;
use crate::method::{
    Chart, Clock, EmaTiming, LargeTensor, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs,
    MethodKeyError, MethodPlan, MethodSpec, Momentum, Outlook, TeacherSpec,
};
use crate::optim::{ParamRule, Select};
use barlow_augment::keyed_rng;
use barlow_loss::{ContrastOutput, alignment, moco_v2, uniformity, unit_deviation, unit_rows};
use barlow_model::{HeadNorm, Heads, HeadsConfig, HostTensor, StateDict};
use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "moco-v2";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "tells a teacher's embedding of the other view apart from a queue of earlier images' embeddings",
    source: "Chen, Fan, Girshick, He 2020, arXiv 2003.04297; facebookresearch/moco moco/builder.py",
    recipes: &["sign-digits-moco-v2", "imagenet-resnet50-moco-v2"],
    keys: "[method.moco-v2]",
    charts: &[
        Chart {
            title: "Mean rank of the key among itself and the queue",
            readings: &["positive_rank"],
            log: true,
        },
        Chart {
            title: "Distance of query and key, uniformity and deviation of the queries",
            readings: &["teacher_distance", "uniformity", "unit_deviation"],
            log: false,
        },
    ],
};

/// Stream of the queue's first values in [`keyed_rng`]; no view draws from it.
const QUEUE_STREAM: u64 = u64::MAX - 1;
const QUEUE: &str = "queue";

/// `[method.moco-v2]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Temperature τ (> 0).
    pub temperature: f64,
    /// Keys of earlier batches in the queue (≥ 1).
    pub queue: usize,
    /// The teacher's momentum, in [0, 1].
    pub momentum: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            temperature: 0.2,
            queue: 65536,
            momentum: 0.999,
        }
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_positive(NAME, "temperature", self.temperature)?;
        MethodKeyError::check_width(NAME, "queue", self.queue)?;
        MethodKeyError::check_fraction(NAME, "momentum", self.momentum)
    }

    /// The network sees view a, the teacher view b. As the official head: biases, and no batch norm.
    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let mut projector = inputs.projector.clone();
        for layer in &mut projector.layers {
            layer.bias = true;
            layer.norm = HeadNorm::None;
        }
        MethodSpec {
            online: Some(vec![0]),
            teacher: Some(TeacherSpec {
                momentum: Momentum {
                    start: self.momentum,
                    end: self.momentum,
                },
                update: EmaTiming::BeforeForward,
                sees: vec![1],
                evaluated: false,
            }),
            // Weight decay on everything, as torch's SGD has it.
            rules: vec![ParamRule {
                decay: Some(true),
                ..ParamRule::new(Select::All)
            }],
            ..MethodSpec::plain(NAME, inputs.views.clone(), HeadsConfig::new(projector))
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d, m) = (inputs.batch_size, inputs.projector.output_width(), self.queue);
        Outlook {
            settings: format!("temperature {}, a queue of {m} keys", self.temperature),
            floor: Some(0.0),
            start: Some(((m + 1) as f64).ln()),
            // Queries and keys with their gradients, the queue and its next state; the logits, their exponentials and gradients.
            peak_values: (8 * n * d + 2 * m * d + 6 * n * (m + 1) + 3 * n * n) as u64,
            tensors: vec![LargeTensor {
                what: "the logits of the loss",
                shape: vec![n, m + 1],
                way_out: "lower method.moco-v2.queue or pass a smaller --batch-size",
            }],
        }
    }
}

/// MoCo v2: view a is the query, view b the key.
struct MoCoV2<B: TrainBackend> {
    temperature: f64,
    rows: usize,
    plan: MethodPlan,
    /// [queue, D] of unit rows, the oldest first; absent before the first step.
    queue: Option<Tensor<B::InnerBackend, 2>>,
    /// The keys of this step, which enter the queue after it.
    seen: Option<Tensor<B::InnerBackend, 2>>,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(MoCoV2::<B> {
        temperature: config.temperature,
        rows: config.queue,
        plan: config.plan(inputs),
        queue: None,
        seen: None,
    })
}

/// Random rows of unit length, uniform on the sphere.
fn first_queue(rows: usize, d: usize, seed: u64) -> Vec<f32> {
    let mut rng = keyed_rng(seed, 0, 0, QUEUE_STREAM);
    let mut normal = || {
        // Box and Muller; 1 − u is above 0.
        let (radius, angle): (f64, f64) = (rng.random(), rng.random());
        (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    };
    let mut row = || {
        let values: Vec<f64> = (0..d).map(|_| normal()).collect();
        let length = values.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-12);
        values.into_iter().map(move |value| (value / length) as f32)
    };
    (0..rows).flat_map(|_| row()).collect()
}

impl<B: TrainBackend> Method<B> for MoCoV2<B> {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, _heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let MethodBatch {
            mut embeddings,
            mut teacher,
            seed,
            ..
        } = batch;
        let query = embeddings.swap_remove(0);
        let key = teacher[1].take().expect("the teacher sees view b");
        let d = query.dims()[1];
        let rows = self.rows;
        let queue = self.queue.get_or_insert_with(|| {
            let values = TensorData::new(first_queue(rows, d, seed), [rows, d]);
            Tensor::from_data(values, &key.device())
        });
        let queue = Tensor::from_inner(queue.clone());
        self.seen = Some(unit_rows(key.clone()));
        let key = Tensor::from_inner(key);
        let readings = vec![
            ("teacher_distance", alignment(query.clone(), key.clone())),
            ("uniformity", uniformity(query.clone())),
            ("unit_deviation", unit_deviation(query.clone())),
        ];
        let ContrastOutput { loss, positive_rank } = moco_v2(query, key, queue, self.temperature);
        let mut output = LossOutput { loss, readings };
        output.readings.push(("positive_rank", positive_rank));
        output
    }

    fn after_step(&mut self, _clock: Clock) {
        let (Some(queue), Some(seen)) = (self.queue.take(), self.seen.take()) else {
            return;
        };
        let n = seen.dims()[0];
        self.queue = Some(if n >= self.rows {
            seen.narrow(0, n - self.rows, self.rows)
        } else {
            Tensor::cat(vec![queue.narrow(0, n, self.rows - n), seen], 0)
        });
    }

    fn state(&self) -> StateDict {
        let host = |queue: &Tensor<B::InnerBackend, 2>| {
            let shape = queue.dims().to_vec();
            let data = queue
                .to_data()
                .convert::<f32>()
                .to_vec()
                .expect("converted to f32 above");
            (QUEUE.to_owned(), HostTensor { shape, data })
        };
        self.queue.iter().map(host).collect()
    }

    fn load_state(&mut self, state: &StateDict, device: &B::Device) -> Result<(), String> {
        let d = self.plan.spec.heads.embedding_width();
        self.queue = None;
        for (key, HostTensor { shape, data }) in state {
            if key != QUEUE || *shape != [self.rows, d] || data.len() != self.rows * d {
                return Err(format!(
                    "{key} of shape {shape:?} is no queue of {} keys of width {d}; was method.moco-v2.queue changed?",
                    self.rows
                ));
            }
            let values = TensorData::new(data.clone(), [self.rows, d]);
            self.queue = Some(Tensor::from_data(values, device));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_queue_is_on_the_sphere_and_depends_on_the_seed_alone() {
        let values = first_queue(50, 8, 3);
        for row in values.chunks(8) {
            let square: f32 = row.iter().map(|value| value * value).sum();
            assert!((square - 1.0).abs() < 1e-5, "{square}");
        }
        assert_eq!(values, first_queue(50, 8, 3));
        assert_ne!(values, first_queue(50, 8, 4));
        let mean: f32 = values.iter().sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.1, "{mean}");
    }
}
