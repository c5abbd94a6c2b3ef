//! The head of the second stage: class and box of each region.

use barlow_model::Linear;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::convolution::normal;

/// Classifier and box regression, named as detectron2's.
#[derive(Module, Debug)]
pub struct BoxPredictor<B: Backend> {
    /// To a score for each class; background is the last.
    pub cls_score: Linear<B>,
    /// To four offsets for each class.
    pub bbox_pred: Linear<B>,
}

impl<B: Backend> BoxPredictor<B> {
    pub(super) fn new(features: usize, classes: usize, seed: u64, device: &B::Device) -> Self {
        let linear = |to: usize, std: f64, name: &str| Linear {
            weight: normal([features, to], std, (seed, name), device),
            bias: Some(Param::from_tensor(Tensor::zeros([to], device))),
        };
        Self {
            cls_score: linear(classes + 1, 0.01, "box_predictor.cls_score.weight"),
            bbox_pred: linear(4 * classes, 0.001, "box_predictor.bbox_pred.weight"),
        }
    }

    /// Scores [R, classes + 1] and offsets [R, 4 · classes], from features [R, F].
    pub fn forward(&self, x: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
        (self.cls_score.forward(x.clone()), self.bbox_pred.forward(x))
    }
}
