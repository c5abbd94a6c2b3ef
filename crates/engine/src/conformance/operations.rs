//! Convolution, batch norm and pooling, forward and backward, compared with Burn's own.

use super::values::{By, Values, gradient_of, noise, with_gradients};
use crate::backend::TrainBackend;
use barlow_model::{BatchNormConfig, NormMode};
use barlow_ops::{ConvGeometry, Window, conv2d, max_pool2d, mean_pool2d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{conv2d as burn_conv2d, max_pool2d as burn_max_pool2d};
use burn::tensor::ops::ConvOptions;

/// Sums of some hundred products in f32, in another order.
pub(super) const BOUND: f64 = 2e-5;

/// Kernel, stride, channels in and out, pixels, as in a ResNet.
const CONVOLUTIONS: [(usize, usize, usize, usize, usize); 5] = [
    (3, 1, 8, 8, 8),
    (3, 2, 8, 16, 8),
    (1, 1, 16, 8, 4),
    (1, 2, 8, 16, 8),
    (7, 2, 3, 8, 17),
];

/// An operation of a network.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    /// Kernel, stride, channels in and out, pixels.
    Convolution((usize, usize, usize, usize, usize)),
    Norm(After),
    Pooling,
}

pub(super) fn all() -> Vec<Operation> {
    let norms = [After::Nothing, After::Relu, After::AddRelu].map(Operation::Norm);
    let convolutions = CONVOLUTIONS.map(Operation::Convolution);
    convolutions
        .into_iter()
        .chain(norms)
        .chain([Operation::Pooling])
        .collect()
}

impl Operation {
    pub(super) fn values<B: TrainBackend>(self, by: By, device: &B::Device) -> Values {
        match self {
            Self::Convolution(case) => convolution::<B>(case, by, device),
            Self::Norm(after) => norm::<B>(after, by, device),
            Self::Pooling => pooling::<B>(by, device),
        }
    }
}

fn convolution<B: TrainBackend>(
    (kernel, stride, from, to, pixels): (usize, usize, usize, usize, usize),
    by: By,
    device: &B::Device,
) -> Values {
    let x = noise::<B, 4>([4, from, pixels, pixels], 1, device).require_grad();
    let weight = noise::<B, 4>([to, from, kernel, kernel], 2, device).require_grad();
    let padding = (kernel - 1) / 2;
    let y = match by {
        By::Backend => conv2d(x.clone(), weight.clone(), ConvGeometry { stride, padding }),
        By::Definition => {
            let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
            burn_conv2d(x.clone(), weight.clone(), None, options)
        }
    };
    let name = format!("convolution {kernel}x{kernel}, stride {stride}, {from} to {to} channels");
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

fn norm<B: TrainBackend>(after: After, by: By, device: &B::Device) -> Values {
    const CHANNELS: usize = 6;
    let x = (noise::<B, 4>([8, CHANNELS, 4, 4], 3, device) * 3.0 + 0.5)
        .detach()
        .require_grad();
    let residual = noise::<B, 4>([8, CHANNELS, 4, 4], 4, device).require_grad();
    let module = BatchNormConfig::new(CHANNELS).init::<B>(device);
    let y = match (by, after) {
        (By::Backend, After::Nothing) => module.forward(x.clone(), NormMode::Train),
        (By::Backend, After::Relu) => module.forward_relu(x.clone(), NormMode::Train),
        (By::Backend, After::AddRelu) => module.forward_add_relu(x.clone(), residual.clone(), NormMode::Train),
        (By::Definition, after) => {
            let mean = over_images(x.clone()).mean_dim(1).reshape([1, CHANNELS, 1, 1]);
            let centred = x.clone() - mean;
            let variance = over_images(centred.clone().square())
                .mean_dim(1)
                .reshape([1, CHANNELS, 1, 1]);
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
    with_gradients(name, y, &inputs, device)
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
