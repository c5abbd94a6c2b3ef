//! The optimisers, applied to a module parameter by parameter.
//!
//! Not Burn's adaptor, because it has one learning rate and no LARS, and keys its state by random ids: here the state
//! is keyed by the parameter's exported name, so a checkpoint means the same thing on every backend.

mod adamw;
#[cfg(feature = "cpu")]
mod flex;
mod lars;
mod ops;
mod optimizer;
#[cfg(all(test, feature = "cpu"))]
mod parity_tests;
mod rates;
mod rule;
mod sgd;
mod treatment;
mod update;

pub use adamw::AdamW;
pub use lars::Lars;
pub use ops::OptimOps;
pub use optimizer::{GradientHook, Optimizer, OptimizerStateError};
pub use rates::{LearningRates, StepRates};
pub use rule::Rule;
pub use sgd::Sgd;
pub use treatment::{ParamRule, RateRule, Select, Treatment, treatment};
pub use update::{Update, Updated};
