//! Batch norm on the CPU backend: each task takes a few channels of all images and makes all its passes over them while they
//! lie in its cache.
//!
//! Row sums are f32 in eight lanes, added up over rows in f64, in an order that depends on the shape alone: the same bytes
//! for any number of threads. Other element types than f32 take [`reference`](super::reference).

use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, TensorData, TensorMetadata};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

use super::{Gradients, NormOps, Normalized, Saved, reference};

/// Floats of an image that a task takes at least, in whole channels: whole cache lines, even for vectors.
const RUN_FLOATS: usize = 256;
/// Independent sums of a row.
const LANES: usize = 8;

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

    /// Calls `visit` with (channel of the run, its row) for each image and each of `channels` channels from `first` on.
    fn rows<'a>(self, data: &'a [f32], first: usize, channels: usize, mut visit: impl FnMut(usize, &'a [f32])) {
        for image in data.chunks_exact(self.channels * self.pixels) {
            let run = &image[first * self.pixels..(first + channels) * self.pixels];
            run.chunks_exact(self.pixels)
                .enumerate()
                .for_each(|(channel, row)| visit(channel, row));
        }
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
        let channels = out[0].len() / layout.pixels;
        let mut mean = vec![0.0f64; channels];
        layout.rows(x, first, channels, |c, row| mean[c] += sum(row.len(), |i| row[i]));
        mean.iter_mut().for_each(|mean| *mean /= count);
        let mut variance = vec![0.0f64; channels];
        layout.rows(x, first, channels, |c, row| {
            let mean = mean[c] as f32;
            variance[c] += sum(row.len(), |i| (row[i] - mean) * (row[i] - mean));
        });
        variance.iter_mut().for_each(|variance| *variance /= count);

        let maps: Vec<_> = (0..channels)
            .map(|c| {
                (
                    mean[c] as f32,
                    inverse_std(variance[c], epsilon) * weight[first + c],
                    bias[first + c],
                )
            })
            .collect();
        for (image, out) in x.chunks_exact(layout.channels * layout.pixels).zip(&mut out) {
            let run = image[first * layout.pixels..].chunks_exact(layout.pixels);
            for ((row, out), &(mean, scale, bias)) in run.zip(out.chunks_exact_mut(layout.pixels)).zip(&maps) {
                row.iter().zip(out).for_each(|(x, y)| *y = (x - mean) * scale + bias);
            }
        }
        mean.into_iter()
            .zip(variance)
            .map(|(mean, variance)| [mean as f32, variance as f32])
            .collect::<Vec<_>>()
    };
    layout.tasks(y).into_par_iter().enumerate().flat_map_iter(run).collect()
}

/// Writes the gradient for x, returns those for (bias, weight) of each channel.
fn backward(layout: Layout, x: &[f32], dy: &[f32], channel: &[Channel], dx: &mut [f32]) -> Vec<[f32; 2]> {
    if dx.is_empty() {
        return vec![[0.0; 2]; layout.channels];
    }
    let count = (layout.images * layout.pixels) as f64;
    let image_floats = layout.channels * layout.pixels;
    let run = |(index, mut out): (usize, Vec<&mut [f32]>)| {
        let first = index * layout.run();
        let channel = &channel[first..first + out[0].len() / layout.pixels];
        let floats = first * layout.pixels..first * layout.pixels + out[0].len();
        let mut sums = vec![[0.0f64; 2]; channel.len()];
        for (x, dy) in x.chunks_exact(image_floats).zip(dy.chunks_exact(image_floats)) {
            let rows = x[floats.clone()]
                .chunks_exact(layout.pixels)
                .zip(dy[floats.clone()].chunks_exact(layout.pixels));
            for (([bias, weight], channel), (x, dy)) in sums.iter_mut().zip(channel).zip(rows) {
                let (len, mean) = (x.len(), channel.mean);
                *bias += sum(len, |i| dy[i]);
                *weight += sum(len, |i| dy[i] * (x[i] - mean));
            }
        }
        // dx = weight/σ · (dy − Σdy/count − x̂ · Σ(dy·x̂)/count), with the weighted sum still without its 1/σ.
        let maps: Vec<_> = channel
            .iter()
            .zip(&mut sums)
            .map(|(channel, [bias, weight])| {
                *weight *= f64::from(channel.inverse_std);
                let tilt = (*weight / count) as f32 * channel.inverse_std;
                (
                    channel.mean,
                    channel.weight * channel.inverse_std,
                    (*bias / count) as f32,
                    tilt,
                )
            })
            .collect();
        for ((x, dy), out) in x
            .chunks_exact(image_floats)
            .zip(dy.chunks_exact(image_floats))
            .zip(&mut out)
        {
            let rows = x[floats.clone()]
                .chunks_exact(layout.pixels)
                .zip(dy[floats.clone()].chunks_exact(layout.pixels));
            for (((x, dy), out), &(mean, scale, offset, tilt)) in
                rows.zip(out.chunks_exact_mut(layout.pixels)).zip(&maps)
            {
                let values = x.iter().zip(dy).zip(out);
                values.for_each(|((x, dy), dx)| *dx = scale * (dy - offset - (x - mean) * tilt));
            }
        }
        sums.into_iter()
            .map(|sums| sums.map(|sum| sum as f32))
            .collect::<Vec<_>>()
    };
    layout
        .tasks(dx)
        .into_par_iter()
        .enumerate()
        .flat_map_iter(run)
        .collect()
}

fn inverse_std(variance: f64, epsilon: f64) -> f32 {
    (1.0 / (variance + epsilon).sqrt()) as f32
}

/// Σ value(i) for i < len: lanes in f32, then their total in f64.
#[inline(always)]
fn sum(len: usize, value: impl Fn(usize) -> f32) -> f64 {
    let mut lanes = [0.0f32; LANES];
    let whole = len / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += value(start + lane);
        }
    }
    let total: f64 = if whole == 0 {
        0.0
    } else {
        lanes.iter().map(|&lane| f64::from(lane)).sum()
    };
    (whole..len).fold(total, |total, i| total + f64::from(value(i)))
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
