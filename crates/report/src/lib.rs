//! Training reports: one run, or several side by side, as one self-contained HTML page without links, scripts or fonts.
//!
//! Data in, text out: the crate reads no files and does not know what a run directory is. The caller gathers the data and
//! decides what is shown.

mod axis;
mod chart;
mod html;
mod page;
mod study;

pub use page::{render, render_many};
pub use study::{MeasuredPoint, MeasuredSeries, StudyFigure, StudyPage, study_page};

/// The data of one run. Empty parts are omitted from the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportData {
    /// Name of the run; the heading, and the name of its series where runs are compared.
    pub title: String,
    /// The resolved configuration, shown verbatim.
    pub config_toml: String,
    /// Name and value of the headline results, in order.
    pub summary: Vec<(String, String)>,
    /// Charts, in order. In a comparison, charts with the same title are merged, and each run has its own series.
    pub curves: Vec<Curve>,
    /// Images and their views, a group per image: first the image itself, then any number of views. Empty groups are skipped.
    pub views: Vec<Vec<Picture>>,
    /// Accuracies before and after training.
    pub accuracy: Vec<AccuracyRow>,
    /// Heading of the accuracies before training: "untrained", or "at the start" if the run began with loaded weights.
    pub before: String,
    /// Remarks, a paragraph each.
    pub notes: Vec<String>,
}

/// A picture with its caption.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Text below the picture, such as "image" or "view a"; the alternative text is derived from it.
    pub caption: String,
    /// A PNG file.
    pub png: Vec<u8>,
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
    /// Logarithmic vertical axis; values of 0 and below are then skipped.
    pub log_y: bool,
}

/// A line of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// (x, y) in order of increasing x; a non-finite value interrupts the line.
    pub points: Vec<(f64, f64)>,
    /// A reference such as the floor of the loss, drawn thin and dashed.
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

    /// A dashed reference line.
    pub fn reference(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            reference: true,
        }
    }
}
