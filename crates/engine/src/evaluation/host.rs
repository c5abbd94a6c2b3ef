//! Tensors to host memory.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A tensor's values, row by row.
pub(crate) fn to_host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .into_vec()
        .expect("converted to f32 above")
}
