//! Targets of every output as tensors of the output's shape.
//!
//! A loss is a weighted sum over all outputs, with weight 0 for those that do not train: nothing is gathered on the device.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// Values on the host, later a tensor.
#[derive(Clone, Debug)]
pub(super) struct Dense {
    pub(super) values: Vec<f32>,
}

impl Dense {
    pub(super) fn zeros(len: usize) -> Self {
        Self { values: vec![0.0; len] }
    }

    pub(super) fn tensor<B: Backend, const D: usize>(self, shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
        Tensor::from_data(TensorData::new(self.values, shape), device)
    }
}

/// The values of a tensor, on the host and without a graph.
pub(super) fn host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    let data = tensor.detach().into_data().convert::<f32>();
    data.into_vec().expect("converted to f32")
}
