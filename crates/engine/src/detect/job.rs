//! What a detector is trained on, with what, and from where.

use super::found::FoundSet;
use super::recipe::{DetectRecipe, NormChoice};
use crate::console::Console;
use crate::sources::{Images, fingerprint};
use crate::stop::StopFlag;
use barlow_augment::Normalization;
use barlow_data::DetectionSets;
use barlow_detect::{AnchorConfig, C4Config, DetectConfig, ProposalConfig, StageConfig, StepModes, StepSchedule};
use barlow_model::{ConvInit, NormMode, ResNetConfig, StateDict, Stem};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// What is detected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DetectTask {
    /// Boxes: Faster R-CNN.
    #[default]
    Box,
    /// Boxes and masks: Mask R-CNN.
    Mask,
}

impl DetectTask {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Box => "box",
            Self::Mask => "mask",
        }
    }
}

/// Where a detector's backbone starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectorStart {
    /// At the run's weights.
    PreTrained,
    /// At random weights.
    Random,
    /// At the run's weights, of which those up to the third stage are never changed.
    Frozen,
}

impl DetectorStart {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreTrained => "pre-trained",
            Self::Random => "random",
            Self::Frozen => "frozen",
        }
    }
}

/// A detector to be trained and tested.
pub struct DetectorJob<'a> {
    /// Folder of its run.
    pub root: &'a Path,
    /// The recipe.
    pub recipe: &'a DetectRecipe,
    /// Boxes or masks.
    pub task: DetectTask,
    /// Where its backbone starts.
    pub start: DetectorStart,
    /// The backbone.
    pub resnet: ResNetConfig,
    /// How the backbone's convolutions are initialised, where they are.
    pub conv_init: ConvInit,
    /// The run's weights, by the names of a checkpoint.
    pub weights: &'a StateDict,
    /// Where they come from, for messages.
    pub origin: &'a str,
    /// The images.
    pub sets: &'a DetectionSets,
    /// Statistics that pixels are normalised with.
    pub normalization: &'a Normalization,
    /// Seed of every draw.
    pub seed: u64,
    /// Prints messages.
    pub console: &'a dyn Console,
    /// Stops it after a checkpoint.
    pub stop: &'a StopFlag,
}

/// A trained detector's results.
#[derive(Clone, Debug)]
pub struct TrainedDetector {
    /// Its detections of the test images.
    pub found: FoundSet,
    /// Seconds it took, in all sessions.
    pub seconds: f64,
}

impl DetectorJob<'_> {
    /// Pixels of the image per pixel of the third stage.
    fn stride(&self) -> usize {
        match self.resnet.stem {
            Stem::Imagenet => 16,
            Stem::Cifar => 4,
        }
    }

    fn anchors(&self) -> AnchorConfig {
        AnchorConfig {
            sizes: self.recipe.model.anchor_sizes.clone(),
            ratios: self.recipe.model.anchor_ratios.clone(),
            stride: self.stride(),
        }
    }

    /// The parts around the backbone.
    pub(super) fn parts(&self) -> C4Config {
        let model = &self.recipe.model;
        C4Config {
            classes: self.sets.train.classes.len(),
            anchors: self.anchors().per_position(),
            extra_norm: model.extra_norm,
            mask_channels: (self.task == DetectTask::Mask).then_some(model.mask_channels),
        }
    }

    /// The settings of a training step, or of a test.
    pub(super) fn step_config(&self, training: bool) -> DetectConfig {
        let DetectRecipe { samples, proposals, .. } = self.recipe;
        DetectConfig {
            anchors: self.anchors(),
            first: StageConfig {
                samples: samples.anchors,
                most_objects: samples.anchor_objects,
            },
            second: StageConfig {
                samples: samples.regions,
                most_objects: samples.region_objects,
            },
            proposals: ProposalConfig {
                before_nms: if training {
                    proposals.train_before
                } else {
                    proposals.test_before
                },
                after_nms: if training {
                    proposals.train_after
                } else {
                    proposals.test_after
                },
                threshold: proposals.overlap,
            },
            bins: self.recipe.model.bins,
            classes: self.sets.train.classes.len(),
        }
    }

    /// The norms of a training step.
    pub(super) fn modes(&self) -> StepModes {
        let norm = match self.recipe.model.norm {
            NormChoice::Batch => NormMode::Train,
            NormChoice::Frozen => NormMode::Eval,
        };
        let frozen_trunk = self.start == DetectorStart::Frozen;
        StepModes {
            trunk: if frozen_trunk { NormMode::Eval } else { norm },
            regions: norm,
            frozen_trunk,
        }
    }

    /// The learning rates.
    pub(super) fn schedule(&self) -> StepSchedule {
        let optimizer = &self.recipe.optimizer;
        StepSchedule {
            rate: optimizer.learning_rate,
            milestones: optimizer.milestones.clone(),
            warmup: optimizer.warmup_steps,
            warmup_factor: optimizer.warmup_factor,
        }
    }

    /// Which images it is trained on.
    pub(super) fn images(&self) -> Images {
        let train = &self.sets.train;
        let mut hasher = blake3::Hasher::new();
        hasher.update(fingerprint(train).as_bytes());
        for object in train.images.iter().flat_map(|image| &image.objects) {
            for corner in object.corners {
                hasher.update(&corner.to_le_bytes());
            }
            hasher.update(&[u8::from(object.crowd), u8::from(object.outline.is_some())]);
        }
        Images {
            count: train.images.len(),
            fingerprint: hasher.finalize().to_hex()[..32].to_owned(),
        }
    }

    /// Everything that its steps depend on: a run that is resumed must have the same.
    pub fn identity(&self) -> Value {
        let mut hasher = blake3::Hasher::new();
        for (name, tensor) in self.weights.iter().filter(|(name, _)| name.starts_with("backbone.")) {
            hasher.update(name.as_bytes()).update(&[0]);
            for block in tensor.data.chunks(1 << 14) {
                let bytes: Vec<u8> = block.iter().flat_map(|value| value.to_le_bytes()).collect();
                hasher.update(&bytes);
            }
        }
        let weights = match self.start {
            DetectorStart::Random => Value::Null,
            _ => hasher.finalize().to_hex()[..32].to_owned().into(),
        };
        json!({
            "kind": "detect",
            "task": self.task,
            "start": self.start,
            "seed": self.seed,
            "weights": weights,
            "backbone": self.resnet,
            "normalization": self.normalization,
            "images": self.images().fingerprint,
            "recipe": self.recipe,
        })
    }
}
