//! SwAV (Caron et al. 2020, arXiv 2006.09882), with the official code's head, prototypes, multi-crop and queue.

use super::small_views::SmallViews;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, Clock, LargeTensor, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs,
    MethodKeyError, MethodPlan, MethodSpec, Outlook, Passes,
};
use crate::optim::{ParamRule, Select};
use barlow_loss::{
    CodeUse, SinkhornConfig, code_use, sinkhorn, swapped_prediction, uniformity, unit_deviation, unit_rows,
};
use barlow_model::{Heads, HeadsConfig, HostTensor, PrototypesConfig, StateDict};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "swav";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "predicts the balanced cluster assignment of one crop of an image from its other crops",
    source: "Caron et al. 2020, arXiv 2006.09882; facebookresearch/swav main_swav.py",
    recipes: &["sign-digits-swav", "cifar10-resnet18-swav", "imagenet-resnet50-swav"],
    keys: "[method.swav]",
    charts: &[
        Chart {
            title: "Fraction of the prototypes in use, and entropy of the codes: both in [0, 1]",
            readings: &["prototype_use", "code_entropy"],
            log: false,
        },
        Chart {
            title: "Collapse: unit deviation about 1 is healthy, 0 is collapsed",
            readings: &["unit_deviation", "uniformity"],
            log: false,
        },
    ],
};

/// Crops with codes: views a and b.
const CODED: usize = 2;

/// `[method.swav]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Number of prototypes K (≥ 1); official 3000.
    pub prototypes: usize,
    /// Temperature τ of the predictions (> 0).
    pub temperature: f64,
    /// Entropy weight ε of the assignment (> 0); 0.03 helps a loss that stays at ln K.
    pub epsilon: f64,
    /// Rounds of the assignment (≥ 1).
    pub rounds: usize,
    /// Steps before the prototypes are trained; official 313 at batch 4096 and 5005 at 256, an epoch of ImageNet.
    pub frozen_steps: u64,
    /// Small crops of each image besides views a and b; 0 for none.
    pub small_views: usize,
    /// Side of the small crops in pixels (≥ 1). Default: 3/7 of `views.size`, the official 96 of 224.
    pub small_size: Option<usize>,
    /// Area of the small crops as a fraction of the image. All else is as in view a.
    pub small_crop_scale: [f64; 2],
    /// Embeddings of earlier batches that take part in the assignment, for each of views a and b, rounded down to whole batches;
    /// 0 for none. Official 3840 at batch 256, none at 4096.
    pub queue: usize,
    /// Epochs before the queue is filled; official 15.
    pub queue_from_epoch: f64,
}

impl Default for Config {
    fn default() -> Self {
        let SinkhornConfig { epsilon, rounds } = SinkhornConfig::default();
        Self {
            prototypes: 3000,
            temperature: 0.1,
            epsilon,
            rounds,
            frozen_steps: 313,
            small_views: 6,
            small_size: None,
            small_crop_scale: [0.05, 0.14],
            queue: 0,
            queue_from_epoch: 15.0,
        }
    }
}

impl Config {
    fn small(&self) -> SmallViews {
        SmallViews {
            count: self.small_views,
            size: self.small_size,
            crop_scale: self.small_crop_scale,
        }
    }

    /// Rows of each queue: whole batches.
    fn queue_rows(&self, batch_size: usize) -> usize {
        self.queue - self.queue % batch_size.max(1)
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_width(NAME, "prototypes", self.prototypes)?;
        MethodKeyError::check_positive(NAME, "temperature", self.temperature)?;
        MethodKeyError::check_positive(NAME, "epsilon", self.epsilon)?;
        MethodKeyError::check_width(NAME, "rounds", self.rounds)?;
        self.small().validate(NAME)?;
        MethodKeyError::check_non_negative(NAME, "queue_from_epoch", self.queue_from_epoch)
    }

    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let mut projector = inputs.projector.clone();
        for layer in &mut projector.layers {
            layer.bias = true;
        }
        let heads = HeadsConfig {
            prototypes: vec![PrototypesConfig {
                count: self.prototypes,
                bias: false,
                unit_rows: true,
            }],
            ..HeadsConfig::new(projector)
        };
        MethodSpec {
            passes: Passes::PerSizeOneHead,
            // The official optimiser decays and adapts everything, biases and norms too.
            rules: vec![
                ParamRule {
                    decay: Some(true),
                    adaptation: Some(true),
                    ..ParamRule::new(Select::All)
                },
                ParamRule {
                    frozen_until: Some(self.frozen_steps),
                    ..ParamRule::new(Select::Prefix("prototypes.".to_owned()))
                },
            ],
            ..MethodSpec::plain(NAME, self.small().after(inputs.views.clone()), heads)
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        let (k, crops, queue) = (self.prototypes, CODED + self.small_views, self.queue_rows(n));
        let queued = match queue {
            0 => String::new(),
            rows => format!(", queues of {rows} embeddings from epoch {}", self.queue_from_epoch),
        };
        Outlook {
            settings: format!("temperature {}, epsilon {}{queued}", self.temperature, self.epsilon),
            floor: None,
            // Equal scores.
            start: Some((k as f64).ln()),
            // Of each crop the embeddings, raw and of unit length, the scores over the temperature, their softmax, and the
            // gradients; the codes of two crops with their queues.
            peak_values: (crops * n * (4 * d + 5 * k) + CODED * (n + queue) * 3 * k + CODED * queue * d) as u64,
            tensors: vec![LargeTensor {
                what: "the scores of the prototypes",
                shape: vec![n + queue, k],
                way_out: "lower method.swav.prototypes or method.swav.queue",
            }],
        }
    }
}

/// SwAV on views a and b, and small ones.
struct SwAv<B: TrainBackend> {
    config: Config,
    plan: MethodPlan,
    /// Rows of each queue; 0 without one.
    rows: usize,
    /// [rows, D] of unit rows for each coded crop, the newest first; fewer rows while it fills, none at first.
    queues: Vec<Tensor<B::InnerBackend, 2>>,
    /// The embeddings of this step, which enter the queues after it.
    seen: Vec<Tensor<B::InnerBackend, 2>>,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(SwAv::<B> {
        config: config.clone(),
        plan: config.plan(inputs),
        rows: config.queue_rows(inputs.batch_size),
        queues: Vec::new(),
        seen: Vec::new(),
    })
}

impl<B: TrainBackend> SwAv<B> {
    /// The codes of one coded crop; a full queue takes part in the assignment.
    fn codes(&self, crop: usize, scores: &Tensor<B, 2>, heads: &Heads<B>) -> Tensor<B, 2> {
        let config = SinkhornConfig {
            epsilon: self.config.epsilon,
            rounds: self.config.rounds,
        };
        let [n, _] = scores.dims();
        let scores = scores.clone().detach();
        match self.queues.get(crop) {
            Some(queue) if queue.dims()[0] == self.rows => {
                let of_queue = heads.prototypes[0].forward(Tensor::from_inner(queue.clone())).detach();
                sinkhorn(Tensor::cat(vec![of_queue, scores], 0), &config).narrow(0, self.rows, n)
            }
            _ => sinkhorn(scores, &config),
        }
    }
}

impl<B: TrainBackend> Method<B> for SwAv<B> {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn codes(&self) -> Option<usize> {
        Some(self.config.prototypes)
    }

    fn before_step(&mut self, mut heads: Heads<B>, _clock: Clock) -> Heads<B> {
        heads.prototypes = heads.prototypes.into_iter().map(|layer| layer.normalized()).collect();
        heads
    }

    fn loss(&mut self, heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let embeddings: Vec<Tensor<B, 2>> = batch.embeddings.into_iter().map(unit_rows).collect();
        let scores: Vec<Tensor<B, 2>> = embeddings
            .iter()
            .map(|z| heads.prototypes[0].forward(z.clone()))
            .collect();
        let codes: Vec<Tensor<B, 2>> = (0..CODED).map(|crop| self.codes(crop, &scores[crop], heads)).collect();
        if self.rows > 0 && batch.clock.epoch() >= self.config.queue_from_epoch {
            self.seen = embeddings[..CODED].iter().map(|z| z.clone().inner()).collect();
        }
        let CodeUse { entropy, prototypes } = code_use(codes[0].clone());
        LossOutput {
            loss: swapped_prediction(&scores, &codes, self.config.temperature),
            readings: vec![
                ("prototype_use", prototypes),
                ("code_entropy", entropy),
                ("uniformity", uniformity(embeddings[0].clone())),
                ("unit_deviation", unit_deviation(embeddings[0].clone())),
            ],
        }
    }

    fn after_step(&mut self, _clock: Clock) {
        if self.seen.is_empty() {
            return;
        }
        let rows = self.rows;
        let mut old = std::mem::take(&mut self.queues).into_iter();
        let push = |seen: Tensor<B::InnerBackend, 2>| match old.next() {
            None => seen,
            Some(queue) => {
                let kept = queue.dims()[0].min(rows - seen.dims()[0].min(rows));
                match kept {
                    0 => seen,
                    kept => Tensor::cat(vec![seen, queue.narrow(0, 0, kept)], 0),
                }
            }
        };
        self.queues = std::mem::take(&mut self.seen).into_iter().map(push).collect();
    }

    fn state(&self) -> StateDict {
        let host = |(index, queue): (usize, &Tensor<B::InnerBackend, 2>)| {
            let shape = queue.dims().to_vec();
            let data = queue
                .to_data()
                .convert::<f32>()
                .to_vec()
                .expect("converted to f32 above");
            (format!("queue.{index}"), HostTensor { shape, data })
        };
        self.queues.iter().enumerate().map(host).collect()
    }

    fn load_state(&mut self, state: &StateDict, device: &B::Device) -> Result<(), String> {
        let d = self.plan.spec.heads.embedding_width();
        let mut queues = Vec::new();
        for (key, HostTensor { shape, data }) in state {
            let expected = format!("queue.{}", queues.len());
            match shape[..] {
                [rows, width] if *key == expected && rows <= self.rows && width == d && data.len() == rows * d => {
                    queues.push(Tensor::from_data(TensorData::new(data.clone(), [rows, d]), device));
                }
                _ => {
                    return Err(format!(
                        "{key} of shape {shape:?} is no queue of at most {} embeddings of width {d}; was method.swav.queue or the \
                         batch size changed?",
                        self.rows
                    ));
                }
            }
        }
        if !matches!(queues.len(), 0 | CODED) {
            return Err(format!("{} queues, and {CODED} views with one", queues.len()));
        }
        self.queues = queues;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::ViewsConfig;
    use barlow_model::ProjectorConfig;

    fn inputs() -> MethodInputs {
        MethodInputs {
            views: ViewsConfig::default().groups(),
            projector: ProjectorConfig { widths: vec![32, 16] }.mlp(true),
            batch_size: 8,
            largest_buffer: None,
        }
    }

    #[test]
    fn small_crops_are_a_group_of_their_own_and_a_queue_is_whole_batches() {
        let config = Config {
            queue: 21,
            ..Config::default()
        };
        let spec = config.spec(&inputs());
        assert_eq!(spec.sizes_of_views(), [224, 224, 96, 96, 96, 96, 96, 96]);
        assert_eq!(spec.passes_of_views(), [vec![0, 1], vec![2, 3, 4, 5, 6, 7]]);
        assert_eq!(config.queue_rows(8), 16);
        assert!(config.outlook(&inputs()).settings.contains("queues of 16"));
    }
}
