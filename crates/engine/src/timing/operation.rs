//! The time of single operations of a step.

use super::cost::Cost;
use super::noise::noise;
use super::repeats::{Repeats, Timing};
use crate::backend::TrainBackend;
use barlow_model::ConvShape;
use barlow_ops::{ConvGeometry, ConvOps};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorData};
use std::hint::black_box;
use std::time::Instant;

/// A device that starts work without waiting for it is given at least this much between two looks at the clock.
const AT_LEAST_S: f64 = 0.01;
const AT_MOST_STARTS: usize = 200;

/// A single operation.
#[derive(Clone, Copy, Debug)]
pub enum OperationWorkload {
    /// A pass of a convolution.
    Conv {
        /// The convolution.
        shape: ConvShape,
        /// Number of images.
        images: usize,
        /// Which of its passes.
        pass: ConvPass,
    },
    /// The product of an m × k and a k × n matrix.
    Product {
        /// Rows of the first matrix.
        m: usize,
        /// Its columns.
        k: usize,
        /// Columns of the second one.
        n: usize,
    },
}

/// The passes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvPass {
    /// The output.
    Forward,
    /// The gradient for the input.
    Input,
    /// The gradient for the weights.
    Weight,
}

impl ConvPass {
    /// All passes, in the order in which a step computes them.
    pub const ALL: [Self; 3] = [Self::Forward, Self::Input, Self::Weight];

    /// `forward`, `input` or `weight`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Input => "input",
            Self::Weight => "weight",
        }
    }
}

impl OperationWorkload {
    pub(super) fn time<B: TrainBackend>(&self, repeats: Repeats, device: &B::Device) -> Timing {
        match *self {
            Self::Conv { shape, images, pass } => conv_time::<B::InnerBackend>(shape, images, pass, repeats, device),
            Self::Product { m, k, n } => product_time::<B::InnerBackend>([m, k, n], repeats, device),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        match *self {
            Self::Conv { ref shape, images, .. } => Cost::convolution(shape, images),
            Self::Product { m, k, n } => Cost::product(m, k, n),
        }
    }
}

fn conv_time<B: ConvOps>(
    shape: ConvShape,
    images: usize,
    pass: ConvPass,
    repeats: Repeats,
    device: &B::Device,
) -> Timing {
    let geometry = ConvGeometry {
        stride: shape.stride,
        padding: shape.padding,
    };
    let input = [images, shape.channels_in, shape.pixels, shape.pixels];
    let output = [images, shape.channels_out, shape.pixels_out(), shape.pixels_out()];
    let weight = [
        shape.channels_out,
        shape.channels_in / shape.groups,
        shape.kernel,
        shape.kernel,
    ];
    let [x, y, w] = [input, output, weight].map(|shape| tensor::<B>(&shape, device));
    time::<B>(repeats, device, || match pass {
        ConvPass::Forward => B::conv2d_forward(x.clone(), w.clone(), geometry),
        ConvPass::Input => B::conv2d_input_gradient(w.clone(), y.clone(), geometry, Shape::from(input)),
        ConvPass::Weight => B::conv2d_weight_gradient(x.clone(), y.clone(), geometry, Shape::from(weight)),
    })
}

fn product_time<B: Backend>([m, k, n]: [usize; 3], repeats: Repeats, device: &B::Device) -> Timing {
    let [a, b] = [[m, k], [k, n]].map(|shape| tensor::<B>(&shape, device));
    time::<B>(repeats, device, || B::float_matmul(a.clone(), b.clone()))
}

/// Times an operation: the device gets it several times in a row if it is short, as in a step, in which the host is ahead.
fn time<B: Backend>(repeats: Repeats, device: &B::Device, operation: impl Fn() -> FloatTensor<B>) -> Timing {
    let seconds = |starts: usize| {
        let start = Instant::now();
        for _ in 0..starts {
            black_box(operation());
        }
        B::sync(device).expect("the device answers");
        start.elapsed().as_secs_f64() / starts as f64
    };
    let first = seconds(1);
    let warm = (0..repeats.warm_up.max(1))
        .map(|_| seconds(1))
        .fold(f64::INFINITY, f64::min);
    let starts = ((AT_LEAST_S / warm).ceil() as usize).clamp(1, AT_MOST_STARTS);
    let timing = Timing::of(Repeats { warm_up: 0, ..repeats }, || seconds(starts));
    Timing { first, ..timing }
}

fn tensor<B: Backend>(shape: &[usize], device: &B::Device) -> FloatTensor<B> {
    let values = noise(shape.iter().product(), shape.len() as u64);
    B::float_from_data(TensorData::new(values, shape.to_vec()), device)
}
