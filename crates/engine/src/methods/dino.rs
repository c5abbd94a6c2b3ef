//! DINO (Caron et al. 2021, arXiv 2104.14294), with the official code's head, centre, temperatures and clipping.

use super::small_views::SmallViews;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, Clock, EmaTiming, LargeTensor, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs,
    MethodKeyError, MethodPlan, MethodSpec, Momentum, Outlook, Passes, TeacherSpec,
};
use crate::optim::{ParamRule, Select};
use barlow_loss::{CodeUse, alignment, code_use, dino, dino_centre, unit_deviation, unit_rows};
use barlow_model::{Activation, HeadNorm, Heads, HeadsConfig, HostTensor, ParamKind, PrototypesConfig, StateDict};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "dino";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "predicts a teacher's centred and sharpened distribution of one crop from the other crops",
    source: "Caron et al. 2021, arXiv 2104.14294; facebookresearch/dino main_dino.py",
    recipes: &["sign-digits-dino", "imagenet-resnet50-dino", "imagenet-vit-small-dino"],
    keys: "[method.dino]",
    charts: &[
        Chart {
            title: "The teacher's distribution: fraction of the outputs in use, and entropy, both in [0, 1]",
            readings: &["prototype_use", "code_entropy"],
            log: false,
        },
        Chart {
            title: "Norm of the centre, deviation of the embeddings, and their distance from the teacher's",
            readings: &["centre_norm", "unit_deviation", "teacher_distance"],
            log: false,
        },
    ],
};

/// Crops that the teacher sees: views a and b.
const LARGE: usize = 2;
const CENTRE: &str = "centre";

/// `[method.dino]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Width K of the output distribution (≥ 1); official 65536.
    pub prototypes: usize,
    /// Temperature of the student (> 0).
    pub temperature: f64,
    /// Temperature of the teacher (> 0) after its warm-up; official 0.04 to 0.07.
    pub teacher_temperature: f64,
    /// Temperature of the teacher in the first epoch (> 0).
    pub first_teacher_temperature: f64,
    /// Epochs in which the teacher's temperature changes linearly.
    pub teacher_warmup_epochs: u64,
    /// Momentum of the centre, in [0, 1].
    pub centre_momentum: f64,
    /// The teacher's momentum at the first step, in [0, 1]; official 0.996, and 0.9995 at batch 256.
    pub momentum: f64,
    /// The momentum at the end of the run, reached by a cosine.
    pub final_momentum: f64,
    /// Longest gradient of a parameter; longer ones are scaled down to it. 0 for no limit.
    pub clip: f64,
    /// Steps before the output layer is trained; official an epoch.
    pub frozen_steps: u64,
    /// Small crops of each image besides views a and b, which the student alone sees; 0 for none.
    pub small_views: usize,
    /// Side of the small crops in pixels (≥ 1). Default: 3/7 of `views.size`, the official 96 of 224.
    pub small_size: Option<usize>,
    /// Area of the small crops as a fraction of the image. All else is as in view a.
    pub small_crop_scale: [f64; 2],
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prototypes: 65536,
            temperature: 0.1,
            teacher_temperature: 0.04,
            first_teacher_temperature: 0.04,
            teacher_warmup_epochs: 0,
            centre_momentum: 0.9,
            momentum: 0.996,
            final_momentum: 1.0,
            clip: 3.0,
            frozen_steps: 1251,
            small_views: 8,
            small_size: None,
            small_crop_scale: [0.05, 0.4],
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

    /// The teacher's temperature: linear over the epochs of its warm-up, both ends included, then constant.
    fn teacher_temperature(&self, clock: Clock) -> f64 {
        let (epoch, warmup) = (clock.step / clock.steps_per_epoch.max(1), self.teacher_warmup_epochs);
        if epoch >= warmup {
            return self.teacher_temperature;
        }
        let progress = epoch as f64 / (warmup - 1).max(1) as f64;
        self.first_teacher_temperature + (self.teacher_temperature - self.first_teacher_temperature) * progress
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_width(NAME, "prototypes", self.prototypes)?;
        MethodKeyError::check_positive(NAME, "temperature", self.temperature)?;
        MethodKeyError::check_positive(NAME, "teacher_temperature", self.teacher_temperature)?;
        MethodKeyError::check_positive(NAME, "first_teacher_temperature", self.first_teacher_temperature)?;
        MethodKeyError::check_fraction(NAME, "centre_momentum", self.centre_momentum)?;
        MethodKeyError::check_fraction(NAME, "momentum", self.momentum)?;
        MethodKeyError::check_fraction(NAME, "final_momentum", self.final_momentum)?;
        MethodKeyError::check_non_negative(NAME, "clip", self.clip)?;
        self.small().validate(NAME)
    }

    /// As the official head: biases, GELU and no batch norm, then unit length and an output layer of unit weights.
    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let mut projector = inputs.projector.clone();
        for layer in &mut projector.layers {
            layer.bias = true;
            layer.norm = HeadNorm::None;
            if layer.activation != Activation::None {
                layer.activation = Activation::Gelu;
            }
        }
        let heads = HeadsConfig {
            prototypes: vec![PrototypesConfig {
                count: self.prototypes,
                bias: false,
                // Scaled in the loss, where the gradient goes through the norm.
                unit_rows: false,
            }],
            ..HeadsConfig::new(projector)
        };
        MethodSpec {
            passes: Passes::PerSizeOneHead,
            teacher: Some(TeacherSpec {
                momentum: Momentum {
                    start: self.momentum,
                    end: self.final_momentum,
                },
                update: EmaTiming::AfterStep,
                sees: (0..inputs.views.len()).collect(),
                evaluated: true,
            }),
            rules: vec![ParamRule {
                frozen_until: Some(self.frozen_steps),
                ..ParamRule::new(Select::Prefix("prototypes.".to_owned()))
            }],
            ..MethodSpec::plain(NAME, self.small().after(inputs.views.clone()), heads)
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d, k) = (inputs.batch_size, inputs.projector.output_width(), self.prototypes);
        let crops = LARGE + self.small_views;
        Outlook {
            settings: format!(
                "temperatures {} (student) and {} (teacher)",
                self.temperature, self.teacher_temperature
            ),
            floor: None,
            // Equal outputs.
            start: Some((k as f64).ln()),
            // Of each crop the embeddings, raw and of unit length, the outputs over the temperature, their softmax, and the
            // gradients; the teacher's outputs and distributions; the output layer of unit weights twice, with its gradient.
            peak_values: (crops * n * (4 * d + 5 * k) + LARGE * n * 3 * k + 3 * d * k) as u64,
            tensors: vec![LargeTensor {
                what: "the outputs of the head",
                shape: vec![n, k],
                way_out: "lower method.dino.prototypes or pass a smaller --batch-size",
            }],
        }
    }
}

/// DINO on views a and b, and small ones.
struct Dino<B: TrainBackend> {
    config: Config,
    plan: MethodPlan,
    /// [1, K]; zero before the first step.
    centre: Option<Tensor<B::InnerBackend, 2>>,
    /// The centre after this step.
    next_centre: Option<Tensor<B::InnerBackend, 2>>,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(Dino::<B> {
        config: config.clone(),
        plan: config.plan(inputs),
        centre: None,
        next_centre: None,
    })
}

/// [N, K]: cosines of the embeddings with the columns of the output layer [D, K].
fn outputs<B: Backend>(z: Tensor<B, 2>, unit_weights: &Tensor<B, 2>) -> Tensor<B, 2> {
    unit_rows(z).matmul(unit_weights.clone())
}

/// The output layer with columns of unit length.
fn unit_weights<B: Backend>(weight: Tensor<B, 2>) -> Tensor<B, 2> {
    unit_rows(weight.transpose()).transpose()
}

impl<B: TrainBackend> Method<B> for Dino<B> {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn codes(&self) -> Option<usize> {
        Some(self.config.prototypes)
    }

    fn loss(&mut self, heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let weights = unit_weights(heads.prototypes[0].weight.val());
        let readings_of = batch.embeddings[0].clone();
        let student: Vec<Tensor<B, 2>> = batch.embeddings.into_iter().map(|z| outputs(z, &weights)).collect();
        let teacher_heads = batch.teacher_heads.expect("it is in the spec");
        let of_teacher = batch.teacher[0].clone().expect("the teacher sees view a");
        let distance = alignment(readings_of.clone().inner(), of_teacher);
        let teacher_weights = unit_weights(teacher_heads.prototypes[0].weight.val());
        let teacher: Vec<Tensor<B::InnerBackend, 2>> = batch
            .teacher
            .into_iter()
            .flatten()
            .map(|z| outputs(z, &teacher_weights))
            .collect();
        let centre = match &self.centre {
            Some(centre) => centre.clone(),
            None => Tensor::zeros([1, self.config.prototypes], &teacher[0].device()),
        };
        let temperature = self.config.teacher_temperature(batch.clock);
        let target = softmax((teacher[0].clone() - centre.clone()).div_scalar(temperature), 1);
        let CodeUse { entropy, prototypes } = code_use(target);
        let norm = centre.clone().square().sum_dim(1).sqrt().reshape([1]);
        self.next_centre = Some(dino_centre(centre.clone(), &teacher, self.config.centre_momentum));
        let teacher: Vec<Tensor<B, 2>> = teacher.into_iter().map(Tensor::from_inner).collect();
        LossOutput {
            loss: dino(
                &student,
                &teacher,
                Tensor::from_inner(centre),
                [self.config.temperature, temperature],
            ),
            readings: vec![
                ("prototype_use", Tensor::from_inner(prototypes)),
                ("code_entropy", Tensor::from_inner(entropy)),
                ("centre_norm", Tensor::from_inner(norm)),
                ("unit_deviation", unit_deviation(readings_of)),
                ("teacher_distance", Tensor::from_inner(distance)),
            ],
        }
    }

    fn gradient(
        &mut self,
        _name: &str,
        _kind: ParamKind,
        gradient: Tensor<B::InnerBackend, 2>,
        _clock: Clock,
    ) -> Option<Tensor<B::InnerBackend, 2>> {
        if self.config.clip == 0.0 {
            return Some(gradient);
        }
        let norm = gradient.clone().square().sum_dim(1).sum_dim(0).sqrt();
        let factor = norm
            .add_scalar(1e-6)
            .recip()
            .mul_scalar(self.config.clip)
            .clamp_max(1.0);
        Some(gradient * factor)
    }

    fn after_step(&mut self, _clock: Clock) {
        if let Some(centre) = self.next_centre.take() {
            self.centre = Some(centre);
        }
    }

    fn state(&self) -> StateDict {
        let host = |centre: &Tensor<B::InnerBackend, 2>| {
            let shape = centre.dims().to_vec();
            let data = centre
                .to_data()
                .convert::<f32>()
                .to_vec()
                .expect("converted to f32 above");
            (CENTRE.to_owned(), HostTensor { shape, data })
        };
        self.centre.iter().map(host).collect()
    }

    fn load_state(&mut self, state: &StateDict, device: &B::Device) -> Result<(), String> {
        let k = self.config.prototypes;
        self.centre = None;
        for (key, HostTensor { shape, data }) in state {
            if key != CENTRE || *shape != [1, k] || data.len() != k {
                return Err(format!(
                    "{key} of shape {shape:?} is no centre of width {k}; was method.dino.prototypes changed?"
                ));
            }
            self.centre = Some(Tensor::from_data(TensorData::new(data.clone(), [1, k]), device));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_teacher_s_temperature_rises_over_its_epochs() {
        let config = Config {
            teacher_temperature: 0.07,
            teacher_warmup_epochs: 4,
            ..Config::default()
        };
        let at = |epoch: u64| {
            config.teacher_temperature(Clock {
                step: 10 * epoch + 9,
                total_steps: 100,
                steps_per_epoch: 10,
            })
        };
        for (epoch, expected) in [(0, 0.04), (1, 0.05), (3, 0.07), (4, 0.07), (9, 0.07)] {
            assert!((at(epoch) - expected).abs() < 1e-12, "epoch {epoch}: {}", at(epoch));
        }
        assert_eq!(
            Config::default().teacher_temperature(Clock {
                step: 0,
                total_steps: 1,
                steps_per_epoch: 1
            }),
            0.04
        );
    }
}
