//! Operands and results of batch norm, as primitives of a backend.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use super::Epilogue;

/// The learned parameters, each `[C]`.
#[derive(Clone, Debug)]
pub struct Affine<B: Backend> {
    /// The factor of the normalised value.
    pub weight: FloatTensor<B>,
    /// The summand.
    pub bias: FloatTensor<B>,
}

/// Mean and variance used to normalise each channel, each `[C]`.
#[derive(Clone, Debug)]
pub struct Statistics<B: Backend> {
    /// The mean, which is subtracted.
    pub mean: FloatTensor<B>,
    /// The variance as it is used. For the statistics of a batch this is the biased variance (divided by N·S).
    pub variance: FloatTensor<B>,
}

/// Result of [`NormOps::batch_norm_forward`](super::NormOps::batch_norm_forward).
#[derive(Debug)]
pub struct Normalized<B: Backend> {
    /// [N, C, …]
    pub y: FloatTensor<B>,
    /// The statistics of the batch.
    pub statistics: Statistics<B>,
}

/// What [`NormOps::batch_norm_backward`](super::NormOps::batch_norm_backward) needs from the forward pass.
#[derive(Debug)]
pub struct NormSaved<B: Backend> {
    /// [N, C, …]
    pub x: FloatTensor<B>,
    /// As passed to the forward pass.
    pub affine: Affine<B>,
    /// As returned by the forward pass.
    pub statistics: Statistics<B>,
    /// Added to the variance.
    pub epsilon: f64,
    /// As passed to the forward pass, but with y in place of the residual. For a ReLU without a residual the mask is recomputed
    /// from `x`.
    pub epilogue: Epilogue<FloatTensor<B>>,
}

/// Result of [`NormOps::batch_norm_backward`](super::NormOps::batch_norm_backward).
#[derive(Debug)]
pub struct NormGradients<B: Backend> {
    /// [N, C, …]
    pub x: FloatTensor<B>,
    /// `[C]`
    pub weight: FloatTensor<B>,
    /// `[C]`
    pub bias: FloatTensor<B>,
    /// [N, C, …]
    pub residual: Option<FloatTensor<B>>,
}
