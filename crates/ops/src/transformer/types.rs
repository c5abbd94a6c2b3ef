//! Operands and results of layer norm, as primitives of a backend.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

/// Result of [`TransformerOps::layer_norm_forward`](super::TransformerOps::layer_norm_forward).
#[derive(Debug)]
pub struct LayerNormed<B: Backend> {
    /// [M, D]
    pub y: FloatTensor<B>,
    /// Mean of each row, [M, 1].
    pub mean: FloatTensor<B>,
    /// 1/√(biased variance + epsilon) of each row, [M, 1].
    pub inverse_std: FloatTensor<B>,
}

/// What [`TransformerOps::layer_norm_backward`](super::TransformerOps::layer_norm_backward) needs from the forward pass.
#[derive(Clone, Debug)]
pub struct LayerNormSaved<B: Backend> {
    /// [M, D]
    pub x: FloatTensor<B>,
    /// `[D]`
    pub weight: FloatTensor<B>,
    /// [M, 1]
    pub mean: FloatTensor<B>,
    /// [M, 1]
    pub inverse_std: FloatTensor<B>,
}

/// Gradients of a layer norm's operands.
#[derive(Debug)]
pub struct LayerNormGradients<B: Backend> {
    /// [M, D]
    pub x: FloatTensor<B>,
    /// `[D]`
    pub weight: FloatTensor<B>,
    /// `[D]`
    pub bias: FloatTensor<B>,
}
