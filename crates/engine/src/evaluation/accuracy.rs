//! The result of an evaluation.

use barlow_eval::{Collapse, LinearResult};

/// Accuracy of one set of features.
#[derive(Clone, Debug)]
pub struct Accuracy {
    /// kNN accuracy on the test images, in [0, 1].
    pub knn_top1: f64,
    /// The result of the linear probe, if requested.
    pub linear: Option<LinearResult>,
    /// The collapse measures of the test images' features.
    pub collapse: Collapse,
    /// The same of the embeddings of some of them, and the [`spectrum`](barlow_eval::spectrum) of these; if the projector was
    /// given.
    pub embeddings: Option<(Collapse, Vec<f64>)>,
}
