//! The weight gradient: a sum over all images, split into ranges of channels (independent) and chunks of images
//! (partial sums, added in order) based only on the shape, so that the result does not depend on the number of threads.

use barlow_simd::{Level, scratch};
use rayon::prelude::*;

use super::blocked::{BlockSize, to_planes};
use super::plan::images_per_group;
use super::shape::ConvShape;
use super::tiles::tile_width;
use super::weight_grad_tasks::{WeightGradPlans, WeightGradTask};
use crate::cpu::disjoint_out::DisjointOut;
use crate::cpu::tensors::written;

/// Input channels per task, and output channels per task.
const CHANNELS: usize = 128;
/// Target number of tasks: enough for many cores, few enough that partial sums stay cheap.
const TASKS: usize = 32;
/// Maximum number of floats of partial sums (unless a single chunk has more).
const PARTIAL_FLOATS: usize = 2 * 1024 * 1024;

/// The weight gradient [C_out, C_in, k, k] from `x` [N, C_in, H, W] and `output_gradient` [N, C_out, H', W'].
pub(super) fn weight_gradient(level: Level, shape: &ConvShape, x: &[f32], output_gradient: &[f32]) -> Vec<f32> {
    if shape.weights() * x.len() * output_gradient.len() == 0 {
        return vec![0.0; shape.weights()];
    }
    let width = tile_width(level, shape.channels_out);
    let group = images_per_group(shape.out_width, shape.images);
    let ranges = shape.channels_in.div_ceil(CHANNELS) * shape.channels_out.div_ceil(CHANNELS);
    // One set of sums per chunk of images, [tile of output channels][input channel][tap][output channel of the tile].
    let sum_floats = shape.channels_out.div_ceil(width) * shape.depth() * width;
    let chunks = (TASKS / ranges)
        .min(PARTIAL_FLOATS / sum_floats)
        .clamp(1, shape.images.div_ceil(group));
    let images = shape.images.div_ceil(chunks).next_multiple_of(group);
    let chunks = shape.images.div_ceil(images);

    let mut tasks = Vec::new();
    for chunk in 0..chunks {
        for input in (0..shape.channels_in).step_by(CHANNELS) {
            for output in (0..shape.channels_out).step_by(CHANNELS) {
                tasks.push((chunk, input, output));
            }
        }
    }
    let (y, axis) = shape.axes();
    let plans = [group, shape.images % group].map(|images| WeightGradPlans::new(shape, &y, &axis, images));
    scratch::with_shared(chunks * sum_floats, |sums| {
        let out = DisjointOut::of(sums);
        tasks.into_par_iter().for_each(|(chunk, input, output)| {
            let task = WeightGradTask {
                level,
                shape,
                y: &y,
                x: &axis,
                inputs: input..shape.channels_in.min(input + CHANNELS),
                outputs: output..shape.channels_out.min(output + CHANNELS),
                width,
            };
            let last = shape.images.min((chunk + 1) * images);
            // SAFETY: the sums of each chunk, input and output channel belong to one task.
            unsafe {
                let sums = out.at(chunk * sum_floats, (chunk + 1) * sum_floats);
                task.clear(sums);
                for first in (chunk * images..last).step_by(group) {
                    let plans = &plans[usize::from(first + group > last)];
                    task.add(x, output_gradient, first..last.min(first + group), plans, sums);
                }
            }
        });
        add_up(sums, sum_floats);
        unpack(level, shape, &sums[..sum_floats], width)
    })
}

/// Adds the sums of all chunks to those of the first chunk, in order.
fn add_up(sums: &mut [f32], sum_floats: usize) {
    const RUN: usize = 4096;
    let (total, others) = sums.split_at_mut(sum_floats);
    total.par_chunks_mut(RUN).enumerate().for_each(|(run, total)| {
        for sums in others.chunks_exact(sum_floats) {
            let addends = &sums[run * RUN..][..total.len()];
            total
                .iter_mut()
                .zip(addends)
                .for_each(|(total, addend)| *total += addend);
        }
    });
}

/// Unpacks sums by tiles into [C_out, C_in, k, k].
fn unpack(level: Level, shape: &ConvShape, sums: &[f32], width: usize) -> Vec<f32> {
    let depth = shape.depth();
    let work = |gradient: DisjointOut<'_>| {
        sums.par_chunks_exact(depth * width)
            .enumerate()
            .for_each(|(tile, sums)| {
                let first = tile * width;
                let channels = width.min(shape.channels_out - first);
                // SAFETY: no other task writes these output channels.
                unsafe {
                    let planes = gradient.at(first * depth, (first + channels) * depth);
                    let size = BlockSize {
                        channels,
                        pixels: depth,
                    };
                    to_planes(level, sums, width, size, planes, depth, false);
                }
            });
    };
    // SAFETY: the tiles cover all output channels.
    unsafe { written(shape.weights(), |floats| work(DisjointOut::fresh(floats))) }
}
