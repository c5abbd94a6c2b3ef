//! Views that share a forward pass: their rows together, and apart again.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Views of one pass as one tensor, one after the other.
pub(super) fn together<B: Backend, const D: usize>(mut views: Vec<Tensor<B, D>>) -> Tensor<B, D> {
    if views.len() == 1 {
        return views.remove(0);
    }
    Tensor::cat(views, 0)
}

/// The rows of each of `count` views.
pub(super) fn apart<B: Backend>(rows: Tensor<B, 2>, count: usize) -> Vec<Tensor<B, 2>> {
    if count == 1 {
        return vec![rows];
    }
    rows.chunk(count, 0)
}
