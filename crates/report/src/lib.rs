//! Training reports: one run, or several side by side, as one self-contained HTML page; and its figures as SVG files.
//!
//! Data in, text out: the crate reads no files and does not know what a run directory is. The caller gathers the data and
//! decides what is shown. A page loads nothing from outside, and a policy in its head forbids it; its script only adds to what
//! can be read without it.

mod axis;
mod chart;
mod classes;
mod compare;
mod data;
mod detect;
mod drawing;
mod encode;
mod figures;
mod gallery;
mod heat;
mod html;
mod map;
mod page;
mod palette;
mod sections;
mod significance;
mod study;
mod thumbnail;

pub use data::{
    AccuracyRow, ClassResults, ConfigChange, Correlation, Curve, Evaluation, EvaluationTable, GalleryRow, MapPoint,
    Picture, Portrait, ReportData, Series, Shown, Thumbnails, WorstPair,
};
pub use detect::{BoxKind, DetectPage, DetectPicture, DetectTable, DrawnBox, detect_page};
pub use figures::{Figure, figures};
pub use page::{render, render_many};
pub use study::{MeasuredPoint, MeasuredSeries, StudyFigure, StudyPage, study_page};
