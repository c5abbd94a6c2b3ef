//! What the rest of the model needs of a backbone, so that a network of one's own takes the place of the ResNet.
//!
//! Knows no network.

use crate::norm::NormMode;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A network from images to representations.
///
/// Four things are asked of one that is to be trained:
///
/// - `mode` alone decides what a batch norm does, never whether the backend differentiates: [`BatchNorm`](crate::BatchNorm) takes it,
///   Burn's own norm does not, and would judge features by the batch they are in.
/// - Convolutions are this crate's [`Conv2d`](crate::Conv2d), or [`conv2d`](crate::ops::conv2d): with Burn 0.21's own, on CUDA and
///   WGPU, a kernel that is smaller than its stride gets no gradient through it (`ops/input_gradient.rs`).
/// - The forward pass draws nothing at random: a step is made again where its batch is too large for the device, and must be the same.
/// - Every field name is part of its weights' names, in checkpoints and exports: a renamed field is another network.
pub trait Backbone<B: Backend>: Module<B> + ModuleDisplay {
    /// Width F of the representations.
    fn features(&self) -> usize;

    /// Representations of one view.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised
    /// - returns [N, F]
    fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 2>;
}
