//! The metrics that a run logs while it trains, and the sinks: `metrics.jsonl` ([`MetricsLog`]), TensorBoard
//! ([`TensorBoard`]), and any custom [`MetricsSink`].

mod lines;
mod log;
mod readings;
mod sink;
mod tensorboard;

pub use lines::{EvaluationMetric, Metric, TrainingMetric};
pub use log::{LogLine, MetricsLog, read};
pub use readings::{LOSS, ReadingMeans, Readings};
pub use sink::MetricsSink;
pub use tensorboard::TensorBoard;
