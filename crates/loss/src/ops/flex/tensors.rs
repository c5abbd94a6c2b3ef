//! Conversion of floats to Burn's tensors.

use burn::tensor::{Shape, TensorData};
use burn_flex::FlexTensor;

pub(super) fn tensor<const R: usize>(values: Vec<f32>, shape: [usize; R]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, Shape::from(shape)))
}
