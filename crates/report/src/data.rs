//! What a report is made of. Numbers and texts only: the caller gathers them, and stores what is costly to compute again.

use serde::{Deserialize, Serialize};

/// The data of one run. Empty parts are omitted from the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportData {
    /// Name of the run; the heading, and the name of its series where runs are compared.
    pub title: String,
    /// What the run is, in a line below the heading.
    pub subtitle: String,
    /// The resolved configuration, shown verbatim.
    pub config_toml: String,
    /// The configuration key by key, for comparisons: dotted key and value as TOML.
    pub config: Vec<(String, String)>,
    /// Name of the recipe that the run started from, if it is known.
    pub recipe: Option<String>,
    /// What differs from that recipe.
    pub changes: Vec<ConfigChange>,
    /// Accuracies before and after training: the headline numbers.
    pub accuracy: Vec<AccuracyRow>,
    /// Heading of the accuracies before training: "untrained", or "at the start" if the run began with loaded weights.
    pub before: String,
    /// Name and value of the other results, in order.
    pub summary: Vec<(String, String)>,
    /// Remarks, a paragraph each.
    pub notes: Vec<String>,
    /// Charts, in order. In a comparison, charts with the same title are merged, and each run has its own series.
    pub curves: Vec<Curve>,
    /// Cross-correlation matrices, in the order of training.
    pub correlations: Vec<Correlation>,
    /// What the network makes of the test images.
    pub portrait: Option<Portrait>,
    /// The small images that the portrait refers to.
    pub thumbnails: Thumbnails,
    /// Images and their views, a group per image: first the image itself, then any number of views. Empty groups are skipped.
    pub views: Vec<Vec<Picture>>,
    /// Results of later evaluations, a section each.
    pub evaluations: Vec<Evaluation>,
    /// Where the time went: phase and seconds.
    pub time: Vec<(String, f64)>,
    /// What the data set was found to be: name and value.
    pub data: Vec<(String, String)>,
    /// How to repeat the run: name and value.
    pub repeat: Vec<(String, String)>,
}

/// A key of the configuration whose value differs from the recipe's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigChange {
    /// Dotted key.
    pub key: String,
    /// The recipe's value; `None` if the recipe has none.
    pub recipe: Option<String>,
    /// The run's value; `None` if the run has none.
    pub run: Option<String>,
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

/// Some rows and columns of a cross-correlation matrix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// Which network: "untrained" or "trained".
    pub name: String,
    /// `[side, side]`, row by row, in [-1, 1].
    pub values: Vec<f32>,
    /// Rows and columns that are shown.
    pub side: usize,
    /// Rows and columns of the whole matrix: the width of the embeddings.
    pub width: usize,
    /// Images whose two views were correlated.
    pub images: usize,
    /// The two views.
    pub views: [String; 2],
    /// Eigenvalues of the embeddings' correlation matrix as fractions of their sum, in descending order.
    pub spectrum: Vec<f64>,
}

/// What a network makes of the test images, as far as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Portrait {
    /// Optimiser steps that the network has made.
    pub step: u64,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Number of test images.
    pub images: usize,
    /// The test images on the map.
    pub map: Vec<MapPoint>,
    /// Test images with their nearest training images.
    pub gallery: Vec<GalleryRow>,
    /// Which classes are confused.
    pub results: ClassResults,
}

/// An image with its place among the thumbnails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Number of its thumbnail.
    pub thumbnail: usize,
    /// Its name in the data set.
    pub name: String,
    /// Its class.
    pub class: usize,
}

/// A test image on the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MapPoint {
    /// The image.
    pub image: Shown,
    /// The predicted class.
    pub predicted: usize,
    /// Its place by the first two principal components, each in [0, 1].
    pub pca: [f32; 2],
    /// Its place by t-SNE, each in [0, 1].
    pub tsne: [f32; 2],
}

/// A test image with its nearest training images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GalleryRow {
    /// The test image.
    pub query: Shown,
    /// The class that was predicted for it.
    pub predicted: usize,
    /// Training images and their cosine similarity, nearest first.
    pub neighbours: Vec<(Shown, f32)>,
}

/// Which classes are confused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassResults {
    /// The classifier, such as "kNN (k 20)".
    pub classifier: String,
    /// Test images of each class, and how many of them were predicted correctly.
    pub per_class: Vec<[usize; 2]>,
    /// True class, predicted class, number of images; pairs that occur.
    pub confusion: Vec<[usize; 3]>,
    /// The pairs of classes that are confused most, the worst first.
    pub worst: Vec<WorstPair>,
}

/// Two classes that are confused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorstPair {
    /// The true class.
    pub truth: usize,
    /// The predicted class.
    pub predicted: usize,
    /// Number of images.
    pub images: usize,
    /// Some of them.
    pub examples: Vec<Shown>,
}

/// Small images of equal size in one picture, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thumbnails {
    /// Side of a small image in pixels.
    pub side: usize,
    /// Small images per row.
    pub columns: usize,
    /// A PNG file; empty without thumbnails.
    pub png: Vec<u8>,
}

/// The result of an evaluation that was run after training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Its name.
    pub name: String,
    /// Single values.
    pub values: Vec<(String, String)>,
    /// Lists of records: heading, names of the columns, rows.
    pub tables: Vec<EvaluationTable>,
}

/// A list of records of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvaluationTable {
    /// Heading.
    pub name: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}
