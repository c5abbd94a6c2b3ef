//! RoIAlign in Burn's own ops, as two products per region: the default implementation of [`RegionOps`](super::RegionOps), which the CPU
//! backend uses too.
//!
//! The rows of all regions of an image are one product, [R·bins, H] × [H, C·W]; the columns one for each region,
//! [bins·C, W] × [W, bins]. Nothing is gathered and nothing scattered, so the bytes are the same every time.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, FloatDType, Shape, Tensor, TensorData, TensorMetadata, TensorPrimitive};

use super::Regions;

/// Most floats between the two products: regions are taken in runs.
const MOST_FLOATS: usize = 4 << 20;

/// [`RegionOps::roi_align_forward`](super::RegionOps::roi_align_forward).
pub fn forward<B: Backend>(x: FloatTensor<B>, regions: &Regions) -> FloatTensor<B> {
    forward_in_runs::<B>(x, regions, MOST_FLOATS)
}

/// [`RegionOps::roi_align_backward`](super::RegionOps::roi_align_backward).
pub fn backward<B: Backend>(output_gradient: FloatTensor<B>, regions: &Regions, input_shape: Shape) -> FloatTensor<B> {
    backward_in_runs::<B>(output_gradient, regions, input_shape, MOST_FLOATS)
}

fn forward_in_runs<B: Backend>(x: FloatTensor<B>, regions: &Regions, most_floats: usize) -> FloatTensor<B> {
    let x = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(x));
    let [_, channels, height, width] = x.dims();
    let bins = regions.align().bins;
    let (device, dtype) = (x.device(), x.dtype());
    let mut outputs = Vec::new();
    let mut rows: Option<(usize, Tensor<B, 2>)> = None;
    for (image, run) in regions.runs(longest_run(most_floats, bins * channels * width)) {
        let count = run.len();
        let [down, across] = regions.weights(run, [height, width]);
        let down = constant::<B, 2>(down, [count * bins, height], dtype, &device);
        let across = constant::<B, 3>(across, [count, bins, width], dtype, &device);
        let features = match rows.take() {
            Some((same, features)) if same == image => features,
            _ => {
                let features = x.clone().slice([image..image + 1, 0..channels, 0..height, 0..width]);
                features.permute([0, 2, 1, 3]).reshape([height, channels * width])
            }
        };
        rows = Some((image, features.clone()));
        let y = down.matmul(features).reshape([count, bins * channels, width]);
        let y = y.matmul(across.swap_dims(1, 2));
        let y = y.reshape([count, bins, channels, bins]).permute([0, 2, 1, 3]);
        outputs.push(y);
    }
    joined(outputs).into_primitive().tensor()
}

fn backward_in_runs<B: Backend>(
    output_gradient: FloatTensor<B>,
    regions: &Regions,
    input_shape: Shape,
    most_floats: usize,
) -> FloatTensor<B> {
    let [images, channels, height, width] = input_shape.dims();
    let bins = regions.align().bins;
    let dtype = output_gradient.dtype();
    let dy = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(output_gradient));
    let device = dy.device();
    let mut gradients: Vec<Option<Tensor<B, 2>>> = vec![None; images];
    for (image, run) in regions.runs(longest_run(most_floats, bins * channels * width)) {
        let count = run.len();
        let dy = dy
            .clone()
            .slice([run.clone(), 0..channels, 0..bins, 0..bins])
            .permute([0, 2, 1, 3])
            .reshape([count, bins * channels, bins]);
        let [down, across] = regions.weights(run, [height, width]);
        let down = constant::<B, 2>(down, [count * bins, height], dtype, &device);
        let across = constant::<B, 3>(across, [count, bins, width], dtype, &device);
        let dx = dy.matmul(across).reshape([count * bins, channels * width]);
        let dx = down.transpose().matmul(dx);
        let sum = match gradients[image].take() {
            Some(sum) => sum + dx,
            None => dx,
        };
        gradients[image] = Some(sum);
    }
    let of_images = gradients.into_iter().map(|gradient| match gradient {
        Some(gradient) => gradient.reshape([1, height, channels, width]).permute([0, 2, 1, 3]),
        None => Tensor::zeros([1, channels, height, width], (&device, dtype)),
    });
    joined(of_images.collect()).into_primitive().tensor()
}

/// Regions in a run, if each needs `floats` between the two products.
fn longest_run(most_floats: usize, floats: usize) -> usize {
    (most_floats / floats).max(1)
}

fn joined<B: Backend>(mut parts: Vec<Tensor<B, 4>>) -> Tensor<B, 4> {
    match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(parts, 0),
    }
}

fn constant<B: Backend, const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    dtype: DType,
    device: &B::Device,
) -> Tensor<B, D> {
    let tensor = Tensor::from_data(TensorData::new(values, shape), (device, DType::F32));
    match dtype {
        DType::F32 => tensor,
        _ => tensor.cast(FloatDType::from(dtype)),
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::super::RoiAlign;
    use super::*;
    use burn_flex::{Flex, FlexTensor};

    /// Regions of one image in runs of one and of two, against all in one run.
    #[test]
    fn a_split_run_gives_the_same() {
        let formula = |shape: [usize; 4], step: f32| {
            let values = (0..shape.iter().product()).map(|at| (at as f32 * step).sin());
            FlexTensor::from_data(TensorData::new(values.collect::<Vec<f32>>(), shape))
        };
        let boxes = (0..7).map(|at| (at / 5, [9.0 * at as f32, 4.0, 70.0 + at as f32, 60.0]));
        let regions = Regions::new(RoiAlign { bins: 5, stride: 16.0 }, boxes.collect());
        let shape = [2, 3, 4, 6];
        let both = |most_floats: usize| {
            let y = forward_in_runs::<Flex>(formula(shape, 0.7), &regions, most_floats);
            let dx = backward_in_runs::<Flex>(formula([7, 3, 5, 5], 0.3), &regions, shape.into(), most_floats);
            [y, dx].map(|tensor| tensor.into_data().to_vec::<f32>().unwrap())
        };
        let whole = both(MOST_FLOATS);
        for most_floats in [1, 2 * 5 * 3 * 6] {
            for (split, whole) in both(most_floats).iter().zip(&whole) {
                assert_eq!(split.len(), whole.len());
                let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5;
                assert!(split.iter().zip(whole).all(near), "{most_floats}");
            }
        }
    }
}
