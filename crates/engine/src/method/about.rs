//! The description of a method, for `train methods` and the report.

use serde::Serialize;

/// The description of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MethodAbout {
    /// One sentence: what it minimises.
    pub summary: &'static str,
    /// Paper and official code.
    pub source: &'static str,
    /// Shipped recipes that use it.
    pub recipes: &'static [&'static str],
    /// The section of its keys in a config file.
    pub keys: &'static str,
    /// Charts of its readings in the report, after that of the loss.
    pub charts: &'static [Chart],
}

/// A chart of some readings over the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Chart {
    /// Heading.
    pub title: &'static str,
    /// Names of the readings.
    pub readings: &'static [&'static str],
    /// Logarithmic vertical axis.
    pub log: bool,
}
