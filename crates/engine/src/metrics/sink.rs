//! Where a run's metrics go.

use super::Metric;
use anyhow::Result;

/// Takes every line of the log as it is written.
pub trait MetricsSink: Send {
    /// Takes a line.
    ///
    /// # Errors
    /// A one-line error; the run stops.
    fn write(&mut self, metric: &Metric) -> Result<()>;
}
