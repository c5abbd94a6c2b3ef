//! Batch norm with an explicit mode, and its running statistics; layer norm.

mod batch_norm;
mod layer_norm;
mod mode;
mod statistic;

pub use batch_norm::{BatchNorm, BatchNormConfig};
pub use layer_norm::LayerNorm;
pub use mode::NormMode;
pub use statistic::RunningStatistic;
