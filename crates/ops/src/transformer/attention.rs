//! Scaled dot-product attention: two products of Burn's, with the softmax of [`TransformerOps`] between them.
//!
//! Burn's fused attention is not used: on the CPU it has no gradient of its own, and on the GPUs its sums are in the type of the
//! inputs.

use burn::tensor::Tensor;

use super::ops::{TransformerOps, softmax};

/// softmax(q·kᵀ/√d)·v of each head.
///
/// # Shapes
/// - `query`, `key`, `value`: [N, heads, T, d]
/// - returns [N, heads, T, d]
///
/// # Panics
/// If the shapes differ.
pub fn attention<B: TransformerOps>(query: Tensor<B, 4>, key: Tensor<B, 4>, value: Tensor<B, 4>) -> Tensor<B, 4> {
    let shape = query.dims();
    assert!(
        key.dims() == shape && value.dims() == shape,
        "attention: queries {shape:?}, keys {:?}, values {:?}",
        key.dims(),
        value.dims()
    );
    let [n, heads, tokens, width] = shape;
    // The factor is applied to the smaller operand.
    let query = query.mul_scalar(1.0 / (width as f64).sqrt());
    let scores = query.matmul(key.swap_dims(2, 3));
    let weights = softmax(scores.reshape([n * heads * tokens, tokens]));
    weights.reshape([n, heads, tokens, tokens]).matmul(value)
}
