//! The trait of a metrics sink.

use super::Metric;
use anyhow::Result;

/// Receives every line of the log as it is written.
pub trait MetricsSink: Send {
    /// Receives a line.
    ///
    /// # Errors
    /// A one-line error; the run stops.
    fn write(&mut self, metric: &Metric) -> Result<()>;
}
