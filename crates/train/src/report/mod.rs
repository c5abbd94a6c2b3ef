//! `report.html`: a run, or several side by side, on one page that needs nothing else: no link, no script, no font.
//!
//! Data in, text out: reads no file and knows nothing of runs, so whoever gathers the data decides what is told.

mod axis;
mod chart;
mod html;
mod page;

pub use page::{render, render_many};

/// What the page tells of one run. Empty parts are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportData {
    /// Name of the run; the heading, and the name of its series where runs are compared.
    pub title: String,
    /// The resolved configuration, shown as it is.
    pub config_toml: String,
    /// Name and value of what a reader wants to know first, in order.
    pub summary: Vec<(String, String)>,
    /// Charts, in order. In a comparison, charts of the same title become one with a series a run.
    pub curves: Vec<Curve>,
    /// PNG files: an image, its view a and its view b.
    pub view_pairs: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    /// Accuracies before and after training.
    pub accuracy: Vec<AccuracyRow>,
    /// What the network was before: "untrained", or "at the start" where its weights are from elsewhere.
    pub before: String,
    /// Remarks, a paragraph each.
    pub notes: Vec<String>,
}

/// An accuracy of the features before the first step and after the last one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccuracyRow {
    /// What was measured.
    pub name: String,
    /// Before the first step, in [0, 1].
    pub untrained: Option<f64>,
    /// After the last step, in [0, 1].
    pub trained: Option<f64>,
}

/// A line chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Heading.
    pub title: String,
    /// Lines, in order.
    pub series: Vec<Series>,
    /// What the vertical axis shows, with its unit.
    pub y_label: String,
    /// What the horizontal axis shows, with its unit.
    pub x_label: String,
    /// Logarithmic vertical axis; values of 0 and below are then left out.
    pub log_y: bool,
}

/// A line of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// x and y, by growing x; a value that is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
    /// A bound to read the others by, drawn thin and dashed, such as the floor of the loss.
    pub reference: bool,
}

impl Series {
    /// A measured line.
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            reference: false,
        }
    }

    /// A dashed line to read the others by.
    pub fn reference(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            reference: true,
        }
    }
}
