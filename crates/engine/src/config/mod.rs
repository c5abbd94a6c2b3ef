//! The config of a run, as a recipe file holds it.
//!
//! Every section has the paper's ImageNet recipe as its default; the shipped files in `configs/` override it. The types
//! here are what serde reads; [`load`] merges files and flags, and `validate.rs` checks the range of every number.
//! [`ResolvedConfig`] is the config that a run uses and stores.

mod changes;
#[expect(clippy::module_inception, reason = "the struct that the module is named after")]
mod config;
mod data;
mod default_rates;
mod error;
mod load;
mod locate;
mod model;
mod rates;
mod recipes;
mod resolved;
mod sections;
mod suggest;
mod validate;

pub(crate) use changes::flat;
pub use changes::{Change, changes};
pub use config::Config;
pub use data::{CacheName, DataCache, DataConfig, Normalize, NormalizeName};
pub use default_rates::{DefaultRates, authors_rate, default_rates};
pub use error::ConfigError;
pub(crate) use load::merged;
pub use load::{Layers, load};
pub use locate::{DataPathError, locate_data};
pub use model::{BackboneKind, ModelSection, VitSection};
pub use rates::{peak_rates, rule, settle_rates};
pub use recipes::{DEFAULT_RECIPE, RECIPES, find_recipe};
pub use resolved::ResolvedConfig;
pub use sections::{
    EvalConfig, LinearEvaluation, OptimizerConfig, OptimizerKind, Precision, RunConfig, ScheduleConfig, SyncNorm,
    TrainConfig,
};
pub use suggest::nearest;
pub use validate::MOST_THREADS;
