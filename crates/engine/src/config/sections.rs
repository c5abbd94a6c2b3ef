//! The sections of a config and their defaults (the official ImageNet recipe unless noted otherwise).

use serde::{Deserialize, Serialize};

/// `[run]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Seed: every random draw of the run is keyed by this number.
    pub seed: u64,
    /// Number format of weights and activations.
    pub precision: Precision,
}

/// Number format of weights and activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
}

/// `[optimizer]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The update rule.
    pub kind: OptimizerKind,
    /// Rate of convolutions and linear layers, per 256 images: the peak is this times `batch_size / 256`, and may be above 1.
    /// Default: the authors' table for LARS, 1e-3 for AdamW (`config/default_rates.rs`).
    pub learning_rate_weights: Option<f64>,
    /// Rate of biases and norm parameters, per 256 images. Default: 0.0003 for LARS, else the rate of the weights. The official
    /// 0.0048 is for gradients averaged over 16 or more GPUs (ARCHITECTURE.md); 0.0003 is its equivalent on one.
    pub learning_rate_biases: Option<f64>,
    /// Weight decay of all parameters but biases and norms.
    pub weight_decay: f64,
    /// Weight decay at the end of the run, reached from `weight_decay` by a cosine (official DINO with a ViT: 0.04 to 0.4). Default:
    /// constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_weight_decay: Option<f64>,
    /// Momentum (LARS, SGD).
    pub momentum: f64,
    /// Trust coefficient η (LARS).
    pub trust_coefficient: f64,
    /// Never let an adapted rate exceed the given one (LARS); helps on small data sets.
    pub clip: bool,
    /// Adapt by ‖g‖ + wd‖p‖ and not by ‖g + wd·p‖ (LARS), as Apex's LARC, SwAV's optimiser.
    pub separate_norms: bool,
    /// The rate is part of the momentum buffer (LARS), as in SimCLR's code.
    pub rate_in_momentum: bool,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Lars,
            learning_rate_weights: None,
            learning_rate_biases: None,
            weight_decay: 1e-6,
            final_weight_decay: None,
            momentum: 0.9,
            trust_coefficient: 0.001,
            clip: false,
            separate_norms: false,
            rate_in_momentum: false,
        }
    }
}

/// The update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Layer-wise adaptive rate scaling.
    Lars,
    /// Adam with decoupled weight decay.
    AdamW,
    /// Stochastic gradient descent with momentum; its rate must be given.
    Sgd,
}

/// `[schedule]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Epochs of linear warm-up; never more than a tenth of the run.
    pub warmup_epochs: f64,
    /// Warm-up in steps, instead of the epochs if given: used as given, at most the steps of the run.
    pub warmup_steps: Option<u64>,
    /// The final rate as a fraction of the peak, in [0, 1].
    pub final_ratio: f64,
    /// Epochs, ascending, at which the rate is multiplied by `milestone_factor`, instead of the cosine to `final_ratio`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<f64>,
    /// Factor of the rate at each of the milestones, in [0, 1].
    #[serde(skip_serializing_if = "is_tenth")]
    pub milestone_factor: f64,
    /// Whether the cosine falls epoch by epoch, not step by step.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_epoch: bool,
}

/// Whether the factor is the default: configs of runs without milestones stay as they were.
fn is_tenth(factor: &f64) -> bool {
    *factor == 0.1
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            warmup_epochs: 10.0,
            warmup_steps: None,
            final_ratio: 0.001,
            milestones: Vec::new(),
            milestone_factor: 0.1,
            by_epoch: false,
        }
    }
}

/// `[train]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the images.
    pub epochs: u64,
    /// Images per step, N. The last, smaller batch of an epoch is dropped.
    pub batch_size: usize,
    /// Images per micro-batch (≥ 2), if N of them do not fit the device: the same gradients in two passes, except that batch norm
    /// inside the network sees only this many images. A step takes a fifth to a third longer.
    pub micro_batch: Option<usize>,
    /// Whose images give the statistics of a batch norm where several processes train together: those of all, of a node, or of
    /// each process alone. With `all` a run is the one that a single process trains, whatever their number.
    pub sync_norm: SyncNorm,
    /// Steps between two lines of metrics.
    pub log_every: u64,
    /// Epochs between two checkpoints.
    pub checkpoint_every: u64,
    /// Checkpoints retained besides the best one.
    pub keep: usize,
}

/// The processes whose batch norms are synchronised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncNorm {
    /// All processes of the run.
    #[default]
    All,
    /// The processes of each node.
    Node,
    /// None: each process has its own statistics; those of the first are saved.
    None,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 1000,
            batch_size: 2048,
            micro_batch: None,
            sync_norm: SyncNorm::All,
            log_every: 100,
            checkpoint_every: 1,
            keep: 2,
        }
    }
}

/// `[eval]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalConfig {
    /// The shorter side is resized to this many pixels.
    pub resize: usize,
    /// Then a square of this many pixels is cut from the centre.
    pub crop: usize,
    /// Train a linear probe alongside the network, if there are labels; it does not affect the network.
    pub online: bool,
    /// Evaluate the network before its first step, too, for comparison.
    pub untrained: bool,
    /// The linear evaluation before the first step and at the end.
    pub linear: LinearEvaluation,
    /// Epochs of `linear = "sgd"`; the official protocol has 100.
    pub linear_epochs: u64,
    /// Epochs between two kNN measurements; 0 measures at the end only.
    pub every: u64,
    /// The most training images that vote in kNN, a stratified part of them; 0 for all.
    pub knn_images: usize,
    /// Number of neighbours that vote in kNN.
    pub knn_k: usize,
    /// Temperature of the kNN votes' weights.
    pub knn_temperature: f64,
}

/// The linear evaluation of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinearEvaluation {
    /// `exact` where images × features × classes are few enough, else the accuracy of the online probe.
    #[default]
    Auto,
    /// Logistic regression to convergence on the features of all training images.
    Exact,
    /// The official protocol, a linear layer trained by SGD on random crops, for `linear_epochs` epochs.
    Sgd,
    /// None.
    Off,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            resize: 256,
            crop: 224,
            online: true,
            untrained: true,
            linear: LinearEvaluation::Auto,
            linear_epochs: 10,
            every: 10,
            knn_images: 50_000,
            knn_k: 20,
            knn_temperature: 0.07,
        }
    }
}
