//! [`PoolOps`] for the CPU backend: converts tensors to slices, runs tasks over feature maps, and converts back.

use std::mem::MaybeUninit;

use barlow_simd::Level;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{DType, Shape, TensorData, TensorMetadata};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

use super::max::{self, Plane};
use super::mean;
use crate::cpu::tensors::{contiguous, tensor, written};
use crate::pool::{MaxPooled, PoolOps, Window, reference};

/// Minimum number of floats per task, in whole maps.
const TASK_FLOATS: usize = 16 * 1024;

impl PoolOps for Flex {
    fn max_pool2d_forward(x: FloatTensor<Self>, window: Window) -> MaxPooled<Self> {
        if x.dtype() != DType::F32 || window.size > max::LARGEST_SIZE {
            return reference::max_forward(x, window);
        }
        max_forward(Level::current(), x, window)
    }

    fn max_pool2d_backward(
        output_gradient: FloatTensor<Self>,
        places: IntTensor<Self>,
        window: Window,
        input_shape: Shape,
    ) -> FloatTensor<Self> {
        if output_gradient.dtype() != DType::F32 || places.dtype() != DType::U8 {
            return reference::max_backward::<Self>(output_gradient, places, window, input_shape);
        }
        max_backward(Level::current(), output_gradient, places, window, input_shape)
    }

    fn mean_pool2d_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if x.dtype() != DType::F32 {
            return reference::mean_forward::<Self>(x);
        }
        mean_forward(Level::current(), x)
    }

    fn mean_pool2d_backward(output_gradient: FloatTensor<Self>, input_shape: Shape) -> FloatTensor<Self> {
        if output_gradient.dtype() != DType::F32 {
            return reference::mean_backward::<Self>(output_gradient, input_shape);
        }
        mean_backward(output_gradient, input_shape)
    }
}

pub(super) fn max_forward(level: Level, x: FlexTensor, window: Window) -> MaxPooled<Flex> {
    let [n, channels, height, width] = x.shape().dims();
    let plane = Plane::new([height, width], window);
    let shape = Shape::new([n, channels, plane.out_height, plane.out_width]);
    let (maps_in, maps_out) = (height * width, plane.out_height * plane.out_width);
    let (x, run) = (contiguous(x), maps_per_task(height * width));
    let mut places = Vec::new();
    let fill = |y: &mut [MaybeUninit<f32>]| {
        let fill = |places: &mut [MaybeUninit<u8>]| {
            let outputs = y
                .par_chunks_mut(run * maps_out)
                .zip(places.par_chunks_mut(run * maps_out));
            let tasks = x.storage::<f32>().par_chunks(run * maps_in).zip(outputs);
            tasks.for_each(|(x, (y, places))| level.run(max::MaxForward { plane, x, y, places }));
        };
        // SAFETY: the tasks write every position of their maps.
        places = unsafe { written(n * channels * maps_out, fill) };
    };
    // SAFETY: the tasks write every output of their maps.
    let y = unsafe { written(n * channels * maps_out, fill) };
    MaxPooled {
        y: tensor(y, shape.clone()),
        places: FlexTensor::from_data(TensorData::new(places, shape)),
    }
}

pub(super) fn max_backward(
    level: Level,
    output_gradient: FlexTensor,
    places: FlexTensor,
    window: Window,
    input_shape: Shape,
) -> FlexTensor {
    let [n, channels, height, width] = input_shape.dims();
    let plane = Plane::new([height, width], window);
    let (expected, given) = (
        [n, channels, plane.out_height, plane.out_width],
        output_gradient.shape().dims(),
    );
    assert!(
        expected == given && expected == places.shape().dims(),
        "max pooling: the output gradient has shape {given:?}, the output {expected:?}"
    );
    let (maps_in, maps_out) = (height * width, plane.out_height * plane.out_width);
    let (dy, places, run) = (
        contiguous(output_gradient),
        contiguous(places),
        maps_per_task(height * width),
    );
    let fill = |dx: &mut [MaybeUninit<f32>]| {
        let operands = dy
            .storage::<f32>()
            .par_chunks(run * maps_out)
            .zip(places.storage::<u8>().par_chunks(run * maps_out));
        let tasks = dx.par_chunks_mut(run * maps_in).zip(operands);
        tasks.for_each(|(dx, (dy, places))| level.run(max::MaxBackward { plane, dy, places, dx }));
    };
    // SAFETY: the tasks write every value of their maps.
    let dx = unsafe { written(n * channels * maps_in, fill) };
    tensor(dx, input_shape)
}

pub(super) fn mean_forward(level: Level, x: FlexTensor) -> FlexTensor {
    let [n, channels, height, width] = x.shape().dims();
    let (x, pixels) = (contiguous(x), height * width);
    let run = maps_per_task(pixels);
    let mut y = vec![0.0; n * channels];
    let tasks = y.par_chunks_mut(run).zip(x.storage::<f32>().par_chunks(run * pixels));
    tasks.for_each(|(y, x)| level.run(mean::MeanForward { pixels, x, y }));
    tensor(y, Shape::new([n, channels]))
}

fn mean_backward(output_gradient: FlexTensor, input_shape: Shape) -> FlexTensor {
    let [n, channels, height, width] = input_shape.dims();
    let (expected, given) = ([n, channels], output_gradient.shape().dims());
    assert!(
        expected == given,
        "mean pooling: the output gradient has shape {given:?}, the output {expected:?}"
    );
    let (dy, pixels) = (contiguous(output_gradient), height * width);
    let run = maps_per_task(pixels);
    let fill = |dx: &mut [MaybeUninit<f32>]| {
        let tasks = dx.par_chunks_mut(run * pixels).zip(dy.storage::<f32>().par_chunks(run));
        tasks.for_each(|(dx, dy)| mean::spread(pixels, dy, dx));
    };
    // SAFETY: the tasks write every pixel of their maps.
    let dx = unsafe { written(n * channels * pixels, fill) };
    tensor(dx, input_shape)
}

fn maps_per_task(pixels: usize) -> usize {
    TASK_FLOATS.div_ceil(pixels.max(1))
}
