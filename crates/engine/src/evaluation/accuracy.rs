//! The result of an evaluation.

use super::LabelledFeatures;
use barlow_eval::{ClassReport, Collapse, KnnScore};
use serde::{Deserialize, Serialize};

/// Accuracy of one set of features.
#[derive(Clone, Debug)]
pub struct Accuracy {
    /// kNN accuracy on the test images, in [0, 1].
    pub knn_top1: f64,
    /// kNN accuracy with every k and temperature that was asked for, the run's first.
    pub knn: Vec<KnnScore>,
    /// Accuracy of a linear classifier, if there is one.
    pub linear: Option<LinearAccuracy>,
    /// The collapse measures of the test images' features.
    pub collapse: Collapse,
    /// The same of the embeddings of some of them, and the [`spectrum`](barlow_eval::spectrum) of these; if they were asked for.
    pub embeddings: Option<(Collapse, Vec<f64>)>,
    /// The features that kNN was run on, if they were asked for.
    pub features: Option<EvaluatedFeatures>,
}

/// The features of an evaluation.
#[derive(Clone, Debug)]
pub struct EvaluatedFeatures {
    /// Of the training images that vote in kNN.
    pub train: LabelledFeatures,
    /// Of the test images.
    pub test: LabelledFeatures,
    /// The class that kNN predicts for each test image.
    pub predictions: Vec<usize>,
}

/// How a linear classifier was trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinearProtocol {
    /// To convergence on the features of all training images.
    Exact,
    /// By SGD on random crops, the network frozen: the official protocol.
    Sgd,
    /// By SGD alongside the network, on the views of its steps.
    Online,
}

/// Accuracy of a linear classifier on the test images.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearAccuracy {
    /// How it was trained.
    pub protocol: LinearProtocol,
    /// Fraction whose class was predicted correctly, in [0, 1].
    pub top1: f64,
    /// Fraction whose class is among the five highest scores; `None` with five classes or fewer.
    pub top5: Option<f64>,
    /// How an exact probe was fitted.
    pub fit: Option<ExactFit>,
}

/// How an exact probe was fitted, and what it gets right.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactFit {
    /// Factor of Σ w².
    pub l2: f64,
    /// L-BFGS steps.
    pub iterations: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
    /// Classes without training images.
    pub unseen: Vec<usize>,
    /// By class.
    pub report: ClassReport,
}
