//! What `train methods` and the report say of a method.

use serde::Serialize;

/// A method in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MethodAbout {
    /// One sentence: what it minimises.
    pub summary: &'static str,
    /// Paper, and where official code was read.
    pub source: &'static str,
    /// Shipped recipes that use it.
    pub recipes: &'static [&'static str],
    /// Where its keys are in a config file.
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
