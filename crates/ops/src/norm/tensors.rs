//! Conversions between tensors and the primitives of a backend.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Tensor, TensorMetadata, TensorPrimitive};

pub(super) fn wrap<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

pub(super) fn unwrap<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}

/// [N, C, …] as [N, C, S].
pub(super) fn of_rank_3<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    if shape.num_dims() == 3 {
        return x;
    }
    let pixels = shape.iter().skip(2).product();
    B::float_reshape(x, Shape::new([shape[0], shape[1], pixels]))
}

/// The way back.
pub(super) fn of_shape<B: Backend>(x: FloatTensor<B>, shape: &Shape) -> FloatTensor<B> {
    if x.shape() == *shape {
        return x;
    }
    B::float_reshape(x, shape.clone())
}
