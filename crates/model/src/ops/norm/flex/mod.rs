//! Batch norm on the CPU backend: each task takes a few channels of all images and makes all its passes over them while they
//! lie in its cache.
//!
//! Row sums are f32 in eight lanes, added up over rows in f64, in an order that depends on the shape alone: the same bytes
//! for any number of threads. Other element types than f32 take [`reference`](super::reference).

mod rows;

use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, TensorData, TensorMetadata};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

use self::rows::{add, map};
use super::{Gradients, NormOps, Normalized, Saved, reference};

/// Floats of an image that a task takes at least, in whole channels: whole cache lines, even for vectors.
const RUN_FLOATS: usize = 256;

impl NormOps for Flex {
    fn batch_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> Normalized<Self> {
        if [&x, &weight, &bias].iter().any(|tensor| tensor.dtype() != DType::F32) {
            return reference::forward(x, weight, bias, epsilon);
        }
        let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let layout = Layout::of(&x);
        let mut y = vec![0.0; layout.len()];
        let statistics = forward(layout, x.storage(), weight.storage(), bias.storage(), epsilon, &mut y);
        let [mean, variance] = columns(statistics);
        Normalized {
            y: tensor(y, x.shape()),
            mean: vector(mean),
            variance: vector(variance),
        }
    }

    fn batch_norm_backward(saved: Saved<Self>, output_gradient: FloatTensor<Self>) -> Gradients<Self> {
        if saved.x.dtype() != DType::F32 || output_gradient.dtype() != DType::F32 {
            return reference::backward(saved, output_gradient);
        }
        let (x, output_gradient) = (saved.x.to_contiguous(), output_gradient.to_contiguous());
        let [mean, variance, weight] = [saved.mean, saved.variance, saved.weight].map(|tensor| tensor.to_contiguous());
        let layout = Layout::of(&x);
        let channels: Vec<Channel> = (0..layout.channels)
            .map(|c| Channel {
                mean: mean.storage::<f32>()[c],
                inverse_std: inverse_std(variance.storage::<f32>()[c].into(), saved.epsilon),
                weight: weight.storage::<f32>()[c],
            })
            .collect();
        let mut gradient = vec![0.0; layout.len()];
        let sums = backward(layout, x.storage(), output_gradient.storage(), &channels, &mut gradient);
        let [bias, weight] = columns(sums);
        Gradients {
            x: tensor(gradient, x.shape()),
            weight: vector(weight),
            bias: vector(bias),
        }
    }
}

#[derive(Clone, Copy)]
struct Layout {
    images: usize,
    channels: usize,
    pixels: usize,
}

impl Layout {
    fn of(x: &FlexTensor) -> Self {
        let [images, channels, pixels] = x.shape().dims();
        Self {
            images,
            channels,
            pixels,
        }
    }

    fn len(self) -> usize {
        self.images * self.channels * self.pixels
    }

    /// Channels of a task.
    fn run(self) -> usize {
        RUN_FLOATS.div_ceil(self.pixels).min(self.channels)
    }

    /// Cuts an output by tasks: for each run of channels, its floats in every image.
    fn tasks(self, out: &mut [f32]) -> Vec<Vec<&mut [f32]>> {
        let mut tasks: Vec<Vec<&mut [f32]>> = Vec::new();
        tasks.resize_with(self.channels.div_ceil(self.run()), || Vec::with_capacity(self.images));
        for image in out.chunks_exact_mut(self.channels * self.pixels) {
            for (task, floats) in tasks.iter_mut().zip(image.chunks_mut(self.run() * self.pixels)) {
                task.push(floats);
            }
        }
        tasks
    }

    /// The floats of a task that begins with channel `first` and has `floats` of them, image by image.
    fn images(self, data: &[f32], first: usize, floats: usize) -> impl Iterator<Item = &[f32]> {
        let start = first * self.pixels;
        data.chunks_exact(self.channels * self.pixels)
            .map(move |image| &image[start..start + floats])
    }
}

#[derive(Clone, Copy)]
struct Channel {
    mean: f32,
    inverse_std: f32,
    weight: f32,
}

/// Writes y, returns (mean, variance) of each channel.
fn forward(layout: Layout, x: &[f32], weight: &[f32], bias: &[f32], epsilon: f64, y: &mut [f32]) -> Vec<[f32; 2]> {
    if y.is_empty() {
        return vec![[0.0; 2]; layout.channels];
    }
    let count = (layout.images * layout.pixels) as f64;
    let run = |(index, mut out): (usize, Vec<&mut [f32]>)| {
        let first = index * layout.run();
        let floats = out[0].len();
        let channels = floats / layout.pixels;
        let mut sums = vec![0.0f64; channels];
        layout
            .images(x, first, floats)
            .for_each(|x| add(&mut sums, layout.pixels, x, x, |_, x, _| x));
        let mean: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
        sums.fill(0.0);
        let square = |c: usize, x: f32, _| (x - mean[c]) * (x - mean[c]);
        layout
            .images(x, first, floats)
            .for_each(|x| add(&mut sums, layout.pixels, x, x, square));
        let variance: Vec<f64> = sums.iter().map(|sum| sum / count).collect();

        let scales = variance.iter().zip(&weight[first..]);
        let scales: Vec<f32> = scales
            .map(|(&variance, weight)| inverse_std(variance, epsilon) * weight)
            .collect();
        let bias = &bias[first..first + channels];
        for (x, y) in layout.images(x, first, floats).zip(&mut out) {
            map(y, layout.pixels, x, x, |c, x, _| (x - mean[c]) * scales[c] + bias[c]);
        }
        mean.into_iter()
            .zip(variance)
            .map(|(mean, variance)| [mean, variance as f32])
            .collect::<Vec<_>>()
    };
    layout.tasks(y).into_par_iter().enumerate().flat_map_iter(run).collect()
}

/// Writes the gradient for x, returns those for (bias, weight) of each channel.
fn backward(layout: Layout, x: &[f32], dy: &[f32], channels: &[Channel], dx: &mut [f32]) -> Vec<[f32; 2]> {
    if dx.is_empty() {
        return vec![[0.0; 2]; layout.channels];
    }
    let count = (layout.images * layout.pixels) as f64;
    let run = |(index, mut out): (usize, Vec<&mut [f32]>)| {
        let first = index * layout.run();
        let floats = out[0].len();
        let channels = &channels[first..first + floats / layout.pixels];
        let images = || layout.images(x, first, floats).zip(layout.images(dy, first, floats));
        let (mut bias, mut weight) = (vec![0.0f64; channels.len()], vec![0.0f64; channels.len()]);
        for (x, dy) in images() {
            add(&mut bias, layout.pixels, dy, dy, |_, dy, _| dy);
            add(&mut weight, layout.pixels, x, dy, |c, x, dy| {
                dy * (x - channels[c].mean)
            });
        }
        weight
            .iter_mut()
            .zip(channels)
            .for_each(|(sum, channel)| *sum *= f64::from(channel.inverse_std));

        // dx = weight/σ · (dy − Σdy/count − (x − mean)/σ · Σ(dy·x̂)/count)
        let terms = channels
            .iter()
            .zip(bias.iter().zip(&weight))
            .map(|(channel, (bias, weight))| Terms {
                mean: channel.mean,
                scale: channel.weight * channel.inverse_std,
                offset: (bias / count) as f32,
                tilt: (weight / count) as f32 * channel.inverse_std,
            });
        let terms: Vec<Terms> = terms.collect();
        for ((x, dy), dx) in images().zip(&mut out) {
            let gradient = |c: usize, x: f32, dy: f32| {
                let Terms {
                    mean,
                    scale,
                    offset,
                    tilt,
                } = terms[c];
                scale * (dy - offset - (x - mean) * tilt)
            };
            map(dx, layout.pixels, x, dy, gradient);
        }
        bias.into_iter()
            .zip(weight)
            .map(|(bias, weight)| [bias as f32, weight as f32])
            .collect::<Vec<_>>()
    };
    layout
        .tasks(dx)
        .into_par_iter()
        .enumerate()
        .flat_map_iter(run)
        .collect()
}

struct Terms {
    mean: f32,
    scale: f32,
    offset: f32,
    tilt: f32,
}

fn inverse_std(variance: f64, epsilon: f64) -> f32 {
    (1.0 / (variance + epsilon).sqrt()) as f32
}

fn columns(rows: Vec<[f32; 2]>) -> [Vec<f32>; 2] {
    let (a, b) = rows.into_iter().map(|[a, b]| (a, b)).unzip();
    [a, b]
}

fn vector(values: Vec<f32>) -> FlexTensor {
    let shape = Shape::new([values.len()]);
    tensor(values, shape)
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
