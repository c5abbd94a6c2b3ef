//! The result of an evaluation.

use barlow_eval::{Collapse, LinearResult};

/// Accuracy of one set of features.
#[derive(Clone, Debug)]
pub struct Accuracy {
    /// kNN accuracy on the test images, in [0, 1].
    pub knn_top1: f64,
    /// The linear probe, where it was asked for.
    pub linear: Option<LinearResult>,
    /// How much of their space the test images' features use.
    pub collapse: Collapse,
    /// The same of the embeddings of some of them, and the [`spectrum`](barlow_eval::spectrum) of these; where the projector was given.
    pub embeddings: Option<(Collapse, Vec<f64>)>,
}
