//! Batch norm with an explicit mode, and its running statistics.

mod batch_norm;
mod mode;
mod statistic;

pub use batch_norm::{BatchNorm, BatchNormConfig};
pub use mode::NormMode;
pub use statistic::RunningStatistic;
