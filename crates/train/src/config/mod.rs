//! The configuration of a run: what a recipe file holds.
//!
//! Every section has the paper's ImageNet recipe as its default; the shipped files in `configs/` override it. The types
//! here are what serde reads; [`load`] merges files and flags, and validation lives beside the numbers it checks.

mod changes;
mod data;
mod load;
mod model;
mod recipes;
mod sections;
mod suggest;
mod validate;

pub use changes::{Change, changes};
pub use data::{CacheName, DataCache, DataConfig, Normalize, NormalizeName};
pub use load::{ConfigError, Layers, load};
pub use model::{BackboneKind, ModelConfig};
pub use recipes::{DEFAULT_RECIPE, RECIPES, find_recipe};
pub use sections::{
    EvalConfig, LossSection, OptimizerConfig, OptimizerKind, Precision, RunConfig, ScheduleConfig, TrainConfig,
};
pub use suggest::nearest;
pub use validate::MOST_THREADS;

use barlow_augment::TwinViewsConfig;
use serde::{Deserialize, Serialize};

/// A complete recipe. Unknown keys are refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Seed and number format.
    pub run: RunConfig,
    /// Where the images are and how they are read.
    pub data: DataConfig,
    /// The two view pipelines.
    pub views: TwinViewsConfig,
    /// Backbone and projector.
    pub model: ModelConfig,
    /// The loss.
    pub loss: LossSection,
    /// The update rule and its peak rates.
    pub optimizer: OptimizerConfig,
    /// Warm-up and decay of the rates.
    pub schedule: ScheduleConfig,
    /// Length, batch and cadences of the run.
    pub train: TrainConfig,
    /// How features are judged.
    pub eval: EvalConfig,
}

impl Config {
    /// The config as the TOML that is stored with the run; reading it gives the same config.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a config has only TOML types")
    }
}
