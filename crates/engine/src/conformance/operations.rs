//! Convolution, batch norm, pooling and RoIAlign, forward and backward, compared with Burn's own.

use super::values::{By, Values, gradient_of, noise, with_gradients};
use crate::backend::TrainBackend;
use barlow_model::{BatchNormConfig, NormMode};
use barlow_ops::{ConvGeometry, Regions, RoiAlign, Window, grouped_conv2d, max_pool2d, mean_pool2d, roi_align};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{conv2d as burn_conv2d, max_pool2d as burn_max_pool2d};
use burn::tensor::ops::ConvOptions;

/// Sums of some hundred products in f32, in another order.
pub(super) const BOUND: f64 = 2e-5;

/// The same with some ten thousand products; operands that were rounded to TF32 are above it.
pub(super) const LARGE_BOUND: f64 = 5e-5;

/// Kernel, stride, channels in and out, pixels and images, as in a ResNet.
const CONVOLUTIONS: [Convolution; 5] = [
    Convolution(3, 1, 8, 8, 8, 4),
    Convolution(3, 2, 8, 16, 8, 4),
    Convolution(1, 1, 16, 8, 4, 4),
    Convolution(1, 2, 8, 16, 8, 4),
    Convolution(7, 2, 3, 8, 17, 4),
];
/// Those of a ResNet-50 on images of 224 pixels.
const LARGE_CONVOLUTIONS: [Convolution; 6] = [
    Convolution(7, 2, 3, 64, 224, 2),
    Convolution(1, 1, 64, 256, 56, 4),
    Convolution(3, 1, 64, 64, 56, 4),
    Convolution(3, 2, 128, 128, 56, 4),
    Convolution(1, 2, 256, 512, 56, 2),
    Convolution(3, 1, 512, 512, 7, 16),
];
/// A convolution in groups.
const GROUPED: Convolution = Convolution(3, 2, 32, 64, 8, 4);
const GROUPS: usize = 16;
/// That of a ResNeXt-50.
const LARGE_GROUPED: Convolution = Convolution(3, 2, 256, 256, 56, 2);
const LARGE_GROUPS: usize = 32;
/// Shapes of a batch norm's operand, [N, C, H, W].
const NORM: [usize; 4] = [8, 6, 4, 4];
/// Several blocks of rows for a GPU's sums, channels of whole vectors.
const TALL_NORM: [usize; 4] = [9, 16, 23, 24];
/// More channels than a block, few rows.
const WIDE_NORM: [usize; 4] = [16, 260, 1, 1];
const LARGE_NORM: [usize; 4] = [16, 64, 56, 56];
/// Shapes of the features from which regions are cut, [N, C, H, W].
const FEATURES: [usize; 4] = [2, 3, 7, 9];
const LARGE_FEATURES: [usize; 4] = [2, 256, 15, 20];
/// m, k and n of a product.
const PRODUCT: [usize; 3] = [16, 24, 40];
const LARGE_PRODUCT: [usize; 3] = [256, 2048, 2048];

/// Kernel, stride, channels in and out, pixels, images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution(usize, usize, usize, usize, usize, usize);

/// An operation of a network.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Convolution(Convolution),
    Grouped(Convolution, usize),
    Norm(After, [usize; 4]),
    Pooling,
    RoiAlign([usize; 4]),
    Product([usize; 3]),
}

/// Small shapes, which are quick on a software driver.
pub(super) fn all() -> Vec<Operation> {
    let mut operations = CONVOLUTIONS.map(Operation::Convolution).to_vec();
    operations.push(Operation::Grouped(GROUPED, GROUPS));
    for shape in [NORM, TALL_NORM, WIDE_NORM] {
        operations.extend(After::ALL.map(|after| Operation::Norm(after, shape)));
    }
    operations.extend([
        Operation::Pooling,
        Operation::RoiAlign(FEATURES),
        Operation::Product(PRODUCT),
    ]);
    operations
}

/// Shapes of real networks: a GPU takes other kernels for them than for small ones.
pub(super) fn large() -> Vec<Operation> {
    let mut operations = LARGE_CONVOLUTIONS.map(Operation::Convolution).to_vec();
    operations.push(Operation::Grouped(LARGE_GROUPED, LARGE_GROUPS));
    operations.extend(After::ALL.map(|after| Operation::Norm(after, LARGE_NORM)));
    operations.push(Operation::RoiAlign(LARGE_FEATURES));
    operations.push(Operation::Product(LARGE_PRODUCT));
    operations
}

impl Operation {
    pub(super) fn values<B: TrainBackend>(self, by: By, device: &B::Device) -> Values {
        match self {
            Self::Convolution(case) => convolution::<B>(case, 1, by, device),
            Self::Grouped(case, groups) => convolution::<B>(case, groups, by, device),
            Self::Norm(after, shape) => norm::<B>(after, shape, by, device),
            Self::Pooling => pooling::<B>(by, device),
            Self::RoiAlign(shape) => regions::<B>(shape, by, device),
            Self::Product(sides) => product::<B>(sides, device),
        }
    }
}

fn convolution<B: TrainBackend>(
    Convolution(kernel, stride, from, to, pixels, images): Convolution,
    groups: usize,
    by: By,
    device: &B::Device,
) -> Values {
    let x = noise::<B, 4>([images, from, pixels, pixels], 1, device).require_grad();
    let weight = noise::<B, 4>([to, from / groups, kernel, kernel], 2, device).require_grad();
    let padding = (kernel - 1) / 2;
    let y = match by {
        By::Backend => grouped_conv2d(x.clone(), weight.clone(), ConvGeometry { stride, padding }, groups),
        // Each group alone, so that the comparison is not with Burn's own grouped kernel.
        By::Definition => {
            let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
            let inputs = x.clone().chunk(groups, 1).into_iter();
            let parts = inputs.zip(weight.clone().chunk(groups, 0));
            Tensor::cat(
                parts
                    .map(|(x, weight)| burn_conv2d(x, weight, None, options.clone()))
                    .collect(),
                1,
            )
        }
    };
    let groups = if groups > 1 {
        format!(" in {groups} groups")
    } else {
        String::new()
    };
    let name = format!("convolution {kernel}x{kernel}, stride {stride}, {from} to {to} channels{groups}, {pixels} px");
    let inputs = [("the input", gradient_of(&x)), ("the weight", gradient_of(&weight))];
    with_gradients(&name, y, &inputs, device)
}

/// What follows the batch norm in the same operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    Nothing,
    Relu,
    AddRelu,
}

impl After {
    const ALL: [Self; 3] = [Self::Nothing, Self::Relu, Self::AddRelu];
}

fn norm<B: TrainBackend>(after: After, shape: [usize; 4], by: By, device: &B::Device) -> Values {
    let channels = shape[1];
    let x = (noise::<B, 4>(shape, 3, device) * 3.0 + 0.5).detach().require_grad();
    let residual = noise::<B, 4>(shape, 4, device).require_grad();
    let module = BatchNormConfig::new(channels).init::<B>(device);
    let y = match (by, after) {
        (By::Backend, After::Nothing) => module.forward(x.clone(), NormMode::Train),
        (By::Backend, After::Relu) => module.forward_relu(x.clone(), NormMode::Train),
        (By::Backend, After::AddRelu) => module.forward_add_relu(x.clone(), residual.clone(), NormMode::Train),
        (By::Definition, after) => {
            let mean = over_images(x.clone()).mean_dim(1).reshape([1, channels, 1, 1]);
            let centred = x.clone() - mean;
            let variance = over_images(centred.clone().square())
                .mean_dim(1)
                .reshape([1, channels, 1, 1]);
            let y = centred / (variance + 1e-5).sqrt();
            match after {
                After::Nothing => y,
                After::Relu => relu(y),
                After::AddRelu => relu(y + residual.clone()),
            }
        }
    };
    let name = match after {
        After::Nothing => "batch norm",
        After::Relu => "batch norm and relu",
        After::AddRelu => "batch norm, sum and relu",
    };
    let mut inputs = vec![("the input", gradient_of(&x))];
    if matches!(after, After::AddRelu) {
        inputs.push(("the residual", gradient_of(&residual)));
    }
    let name = format!("{name}, {channels} channels");
    with_gradients(&name, y, &inputs, device)
}

/// The same operation on both devices: Burn has one.
fn product<B: TrainBackend>([m, k, n]: [usize; 3], device: &B::Device) -> Values {
    let a = noise::<B, 2>([m, k], 8, device).require_grad();
    let b = noise::<B, 2>([k, n], 9, device).require_grad();
    let inputs = [
        ("the left matrix", gradient_of(&a)),
        ("the right matrix", gradient_of(&b)),
    ];
    let name = format!("product of {m} x {k} and {k} x {n}");
    with_gradients(&name, a.matmul(b), &inputs, device)
}

/// [N, C, H, W] → [C, N·H·W].
fn over_images<B: TrainBackend>(x: Tensor<B, 4>) -> Tensor<B, 2> {
    let [_, channels, _, _] = x.dims();
    x.swap_dims(0, 1).reshape([channels as i32, -1])
}

fn pooling<B: TrainBackend>(by: By, device: &B::Device) -> Values {
    let x = noise::<B, 4>([4, 8, 9, 9], 5, device).require_grad();
    let geometry = ConvGeometry { stride: 2, padding: 1 };
    let (largest, mean) = match by {
        By::Backend => (
            max_pool2d(x.clone(), Window { size: 3, geometry }),
            mean_pool2d(x.clone()),
        ),
        By::Definition => (
            burn_max_pool2d(x.clone(), [3, 3], [2, 2], [1, 1], [1, 1], false),
            x.clone().mean_dim(3).mean_dim(2).reshape([4, 8]),
        ),
    };
    let inputs = [("the input", gradient_of(&x))];
    let mut values = with_gradients("max pooling", largest, &inputs, device);
    values.extend(with_gradients("mean pooling", mean, &inputs, device));
    values
}

/// RoIAlign. By definition it is one product with the weights of every pixel in every bin, which are read off maps of a single pixel.
fn regions<B: TrainBackend>(shape: [usize; 4], by: By, device: &B::Device) -> Values {
    let [images, channels, height, width] = shape;
    let x = noise::<B, 4>(shape, 6, device).require_grad();
    let (right, bottom) = (16.0 * width as f32, 16.0 * height as f32);
    let boxes = [
        (0, [0.0, 0.0, right, bottom]),
        (0, [10.0, 20.0, 70.0, 90.0]),
        (images - 1, [33.3, 5.5, 40.1, bottom - 3.1]),
        (images - 1, [-30.0, -20.0, 20.0, 30.0]),
        (images - 1, [50.0, 50.0, 50.0, 50.0]),
    ];
    let bins = 14;
    let align = RoiAlign { bins, stride: 16.0 };
    let y = match by {
        By::Backend => roi_align(x.clone(), &Regions::new(align, boxes.to_vec())),
        By::Definition => {
            let pixels = height * width;
            let maps: Tensor<B, 4> = Tensor::<B, 2>::eye(pixels, device).reshape([1, pixels, height, width]);
            let of_box = |&(image, corners): &(usize, [f32; 4])| {
                let weights = roi_align(maps.clone(), &Regions::new(align, vec![(0, corners)]));
                let weights = weights.reshape([pixels, bins * bins]);
                let features = x.clone().narrow(0, image, 1).reshape([channels, pixels]);
                features.matmul(weights).reshape([1, channels, bins, bins])
            };
            Tensor::cat(boxes.iter().map(of_box).collect(), 0)
        }
    };
    let name = format!("RoIAlign of {channels} channels, {height} x {width}");
    with_gradients(&name, y, &[("the features", gradient_of(&x))], device)
}
