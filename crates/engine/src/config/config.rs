//! A complete recipe as one struct.

use super::{
    ConfigError, DataConfig, EvalConfig, ModelSection, OptimizerConfig, RunConfig, ScheduleConfig, TrainConfig,
};
use crate::method::{MethodDefinition, MethodInputs};
use crate::methods::{LossSection, MethodSection};
use barlow_augment::ViewsConfig;
use barlow_model::{BackboneConfig, ProjectorConfig};
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
    pub views: ViewsConfig,
    /// Backbone and projector.
    pub model: ModelSection,
    /// The method, and the settings of all methods but Barlow Twins.
    pub method: MethodSection,
    /// The settings of Barlow Twins.
    pub loss: LossSection,
    /// The update rule and its peak rates.
    pub optimizer: OptimizerConfig,
    /// Warm-up and decay of the rates.
    pub schedule: ScheduleConfig,
    /// Length of the run, batch size, and intervals of logging and checkpoints.
    pub train: TrainConfig,
    /// How features are evaluated.
    pub eval: EvalConfig,
}

impl Config {
    /// The config as the TOML that is stored with the run; reading it gives the same config.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a config has only TOML types")
    }

    /// The backbone of this config.
    ///
    /// # Errors
    /// [`ConfigError::CustomBackbone`].
    pub fn backbone(&self) -> Result<BackboneConfig, ConfigError> {
        self.model.backbone(self.views.size)
    }

    /// The projector of this config.
    ///
    /// # Panics
    /// If the config was not validated and `model.projector` cannot be parsed.
    pub fn projector(&self) -> ProjectorConfig {
        self.model.projector()
    }

    /// The inputs of the config's method; `largest_buffer` is the device's limit for one tensor, if known.
    ///
    /// # Panics
    /// As [`Config::projector`].
    pub fn method_inputs(&self, largest_buffer: Option<u64>) -> MethodInputs {
        MethodInputs {
            views: self.views.groups(),
            projector: self.projector().mlp(self.model.projector_norm),
            batch_size: self.train.batch_size,
            largest_buffer,
        }
    }

    /// The settings of the method.
    pub fn method_definition(&self) -> &dyn MethodDefinition {
        self.method.definition(&self.loss)
    }
}
