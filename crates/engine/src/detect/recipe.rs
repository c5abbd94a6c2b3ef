//! The recipe of a detector, as a file of `configs/detect-*.toml` holds it.
//!
//! Every section has MoCo's and Barlow Twins' settings for VOC07+12 as its default.

use serde::{Deserialize, Serialize};

/// The recipe of a detector. Its backbone is that of the run it starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectRecipe {
    /// `[data]`
    pub data: DataSection,
    /// `[model]`
    pub model: ModelSection,
    /// `[views]`
    pub views: ViewSection,
    /// `[samples]`
    pub samples: SampleSection,
    /// `[proposals]`
    pub proposals: ProposalSection,
    /// `[optimizer]`
    pub optimizer: OptimizerSection,
    /// `[train]`
    pub train: TrainSection,
    /// `[eval]`
    pub eval: EvalSection,
}

/// `[data]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSection {
    /// Parts to train on: of VOC `trainval` or `VOC2012/trainval`, of COCO `train2017`. Default: `trainval` or `train`.
    pub train: Vec<String>,
    /// The part to test on. Default: `test` or `val`.
    pub test: Option<String>,
}

/// `[model]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSection {
    /// Square roots of the anchors' areas, in pixels of the resized image.
    pub anchor_sizes: Vec<f64>,
    /// Heights of the anchors over their widths.
    pub anchor_ratios: Vec<f64>,
    /// Side of a region's map before the fourth stage, which halves it.
    pub bins: usize,
    /// One more norm after the fourth stage.
    pub extra_norm: bool,
    /// Hidden channels of the mask head.
    pub mask_channels: usize,
    /// What the norms do while it trains.
    pub norm: NormChoice,
}

impl Default for ModelSection {
    fn default() -> Self {
        Self {
            anchor_sizes: vec![32.0, 64.0, 128.0, 256.0, 512.0],
            anchor_ratios: vec![0.5, 1.0, 2.0],
            bins: 14,
            extra_norm: true,
            mask_channels: 256,
            norm: NormChoice::Batch,
        }
    }
}

/// What the norms do while a detector trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormChoice {
    /// Statistics of the batch, and learned scale and shift: the published evaluations of self-supervised networks.
    #[default]
    Batch,
    /// The pre-trained statistics, scale and shift: detectron2's default for supervised networks.
    Frozen,
}

/// `[views]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ViewSection {
    /// Shorter sides of a training image in pixels, of which one is drawn for each view.
    pub short_sides: Vec<usize>,
    /// Longest side in pixels, in training and in tests.
    pub longest: usize,
    /// Probability of a flip from left to right.
    pub flip: f64,
    /// Shorter side of a test image in pixels.
    pub test_short_side: usize,
    /// Sides of a batch are padded to a multiple of this: on a GPU, where every new size compiles kernels, 32 is faster to start.
    pub size_divisor: usize,
}

impl Default for ViewSection {
    fn default() -> Self {
        Self {
            short_sides: (480..=800).step_by(32).collect(),
            longest: 1333,
            flip: 0.5,
            test_short_side: 800,
            size_divisor: 1,
        }
    }
}

/// `[samples]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SampleSection {
    /// Anchors of an image that train the first stage.
    pub anchors: usize,
    /// At most this part of them objects.
    pub anchor_objects: f64,
    /// Regions of an image that train the second stage.
    pub regions: usize,
    /// At most this part of them objects.
    pub region_objects: f64,
}

impl Default for SampleSection {
    fn default() -> Self {
        Self {
            anchors: 256,
            anchor_objects: 0.5,
            regions: 512,
            region_objects: 0.25,
        }
    }
}

/// `[proposals]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProposalSection {
    /// Anchors of a training image with the highest scores, before overlapping ones are suppressed.
    pub train_before: usize,
    /// Proposals of a training image after that.
    pub train_after: usize,
    /// The same of a test image.
    pub test_before: usize,
    /// The same of a test image.
    pub test_after: usize,
    /// Overlap above which the lower score is suppressed.
    pub overlap: f64,
}

impl Default for ProposalSection {
    fn default() -> Self {
        Self {
            train_before: 12_000,
            train_after: 2000,
            test_before: 6000,
            test_after: 1000,
            overlap: 0.7,
        }
    }
}

/// `[optimizer]`: SGD. The rate is for the recipe's own batch; it is not scaled by its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerSection {
    /// Rate after the warm-up.
    pub learning_rate: f64,
    /// Momentum.
    pub momentum: f64,
    /// Weight decay of everything but norms.
    pub weight_decay: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: u64,
    /// Part of the rate with which it begins.
    pub warmup_factor: f64,
    /// Steps after which the rate is a tenth of what it was.
    pub milestones: Vec<u64>,
}

impl Default for OptimizerSection {
    fn default() -> Self {
        Self {
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 1e-4,
            warmup_steps: 1000,
            warmup_factor: 0.333,
            milestones: vec![18_000, 22_000],
        }
    }
}

/// `[train]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSection {
    /// Steps.
    pub steps: u64,
    /// Images of a step.
    pub batch_size: usize,
    /// Images that are computed at once; the gradients of a step's parts are summed. Batch statistics are then those of a part. Default: all.
    pub micro_batch: Option<usize>,
    /// Batches over which the norms' running statistics are estimated anew before the test (PreciseBN); 0 tests with those of training.
    pub precise_norm: u64,
    /// Steps between two lines of metrics.
    pub log_every: u64,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// Checkpoints that are retained.
    pub keep: usize,
}

impl Default for TrainSection {
    fn default() -> Self {
        Self {
            steps: 24_000,
            batch_size: 16,
            micro_batch: None,
            precise_norm: 200,
            log_every: 20,
            checkpoint_every: 1000,
            keep: 2,
        }
    }
}

/// `[eval]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalSection {
    /// Most detections of an image.
    pub detections: usize,
}

impl Default for EvalSection {
    fn default() -> Self {
        Self { detections: 100 }
    }
}
