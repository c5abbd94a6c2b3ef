//! Operands and results of the forms.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

/// The matrix product used to compute the sum of squares of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// C itself, [D, D]: 6 N D² operations forward and backward.
    Direct,
    /// The two Gram matrices Z_a Z_aᵀ and Z_b Z_bᵀ, [N, N]: ‖C‖²_F = ⟨Z_a Z_aᵀ, Z_b Z_bᵀ⟩_F / N². 8 N² D operations, no D × D
    /// matrix.
    Gram,
}

/// Result of [`LossOps::terms_forward`](super::LossOps::terms_forward).
#[derive(Debug)]
pub struct Forward<B: Backend> {
    /// `[4]`, as [`LossOps::correlation_sums`](super::LossOps::correlation_sums).
    pub sums: FloatTensor<B>,
    /// Tensors for the backward pass of the same backend and product, in an order of its choice; empty unless requested.
    pub kept: Vec<FloatTensor<B>>,
}

/// What [`LossOps::terms_backward`](super::LossOps::terms_backward) needs from the forward pass.
#[derive(Debug)]
pub struct Saved<B: Backend> {
    /// The embeddings of both views, [N, D].
    pub z: [FloatTensor<B>; 2],
    /// [`Forward::kept`].
    pub kept: Vec<FloatTensor<B>>,
}
