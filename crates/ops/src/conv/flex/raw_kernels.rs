//! Tests of the tasks that write through pointers, on tiny shapes at the baseline level, without Burn and without threads, for
//! Miri (command: docs of the crate).

use std::mem::MaybeUninit;

use barlow_simd::Level;

use super::blocked::{BlockSize, to_blocks, to_planes};
use super::conv_kernel::ConvKernel;
use super::correlation::{ConvOutput, Correlation};
use super::definition::{definition, formula};
use super::direct::DirectTask;
use super::packing::BLOCK;
use super::plan::{ConvPlan, images_per_group};
use super::pointwise::{self, PointwiseProduct};
use super::product_kernel::tiles;
use super::shape::ConvShape;
use super::tiles::tile_width;
use super::transform::{SQUARE_POINTS, WeightTransform};
use super::weight_grad_tasks::{WeightGradPlans, WeightGradTask};
use super::winograd;
use crate::ConvGeometry;
use crate::cpu::disjoint_out::DisjointOut;

const LEVEL: Level = Level::Baseline;

/// A convolution with its operands: x, weight and output gradient.
fn case(x: [usize; 4], channels_out: usize, kernel: usize, geometry: ConvGeometry) -> (ConvShape, [Vec<f32>; 3]) {
    let weight = [channels_out, x[1], kernel, kernel];
    let shape = ConvShape::new(x, weight, geometry);
    let operands = [
        formula(x.iter().product(), 1),
        formula(weight.iter().product(), 2),
        formula(shape.output_dims().iter().product(), 3),
    ];
    (shape, operands)
}

fn assert_close(found: &[f32], expected: &[[f64; 2]]) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, [expected, magnitude])) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*found) - expected).abs() <= 1e-5 * magnitude,
            "element {index} is {found}, not {expected}"
        );
    }
}

/// Checks the written values, and the values added to 1, which are rounded once more.
fn assert_both_close(written: &[f32], added: &[f32], expected: &[[f64; 2]]) {
    assert_close(written, expected);
    let expected: Vec<_> = expected
        .iter()
        .map(|[value, magnitude]| [*value, magnitude + 1.0])
        .collect();
    assert_close(added, &expected);
}

/// Weights [C_out, C_in, k, k] as [tile of outputs][tap][input][output of the tile].
fn packed(shape: &ConvShape, weight: &[f32], width: usize) -> Vec<f32> {
    let (inputs, taps) = (shape.channels_in, shape.taps());
    let mut packed = vec![0.0; shape.channels_out.div_ceil(width) * taps * inputs * width];
    for (index, value) in weight.iter().enumerate() {
        let (output, input, tap) = (index / (inputs * taps), index / taps % inputs, index % taps);
        packed[((output / width * taps + tap) * inputs + input) * width + output % width] = *value;
    }
    packed
}

/// The values that `work` writes to uninitialised memory, and those that it adds to ones (minus one).
fn written_and_added(of: &Correlation, work: impl Fn(ConvOutput<'_>)) -> [Vec<f32>; 2] {
    let mut fresh = vec![MaybeUninit::uninit(); of.images * of.image_out()];
    work(ConvOutput {
        floats: DisjointOut::fresh(&mut fresh),
        adds: false,
    });
    let mut sum = vec![1.0; fresh.len()];
    work(ConvOutput {
        floats: DisjointOut::of(&mut sum),
        adds: true,
    });
    [
        // SAFETY: `work` writes every float; Miri checks it.
        fresh.into_iter().map(|float| unsafe { float.assume_init() }).collect(),
        sum.into_iter().map(|float| float - 1.0).collect(),
    ]
}

#[test]
fn direct_tasks() {
    for (x, channels_out, kernel, stride, padding) in [
        ([2, 3, 4, 3], 17, 3, 1, 1),
        ([1, 17, 2, 13], 2, 1, 1, 0),
        ([1, 2, 5, 25], 3, 3, 2, 1),
    ] {
        let (shape, [x, weight, dy]) = case(x, channels_out, kernel, ConvGeometry { stride, padding });
        let of = shape.convolution();
        let width = tile_width(LEVEL, channels_out);
        let weights = packed(&shape, &weight, width);
        assert!(shape.images <= images_per_group(shape.out_width, shape.images));
        let plan = ConvPlan::new(&of.y, &of.x, kernel, shape.images);
        let [written, added] = written_and_added(&of, |output| {
            for rows in [0..1, 1..shape.out_height] {
                let task = DirectTask {
                    level: LEVEL,
                    of: &of,
                    plan: &plan,
                    images: 0..shape.images,
                    rows,
                };
                task.run(&x, &weights, width, 0..channels_out.div_ceil(width), output);
            }
        });
        let [expected, _, _] = definition(&shape, &x, &weight, &dy);
        assert_both_close(&written, &added, &expected);
    }
}

#[test]
fn product_tasks() {
    for (x, channels_out, stride) in [([2, 3, 4, 5], 5, 1), ([2, 2, 5, 4], 3, 2), ([1, 1, 7, 7], 1, 3)] {
        let (shape, [x, weight, dy]) = case(x, channels_out, 1, ConvGeometry { stride, padding: 0 });
        let [forward, gradient, _] = definition(&shape, &x, &weight, &dy);
        for (of, operand, expected, for_input_gradient) in [
            (shape.convolution(), &x, &forward, false),
            (shape.input_gradient(), &dy, &gradient, true),
        ] {
            assert!(pointwise::suits(&of));
            let tiles = tiles(LEVEL, of.channels_out);
            // [tile][input][output of the tile]
            let mut weights = Vec::new();
            for tile in &tiles {
                for input in 0..of.channels_in {
                    weights.extend(tile.clone().map(|output| match for_input_gradient {
                        false => weight[output * of.channels_in + input],
                        true => weight[input * of.channels_out + output],
                    }));
                }
            }
            let product = PointwiseProduct::new(LEVEL, &of);
            let (count, half) = (product.panels(), tiles.len() / 2);
            let [written, added] = written_and_added(&of, |output| {
                for panels in [0..count / 2, count / 2..count] {
                    for tiles in [&tiles[..half], &tiles[half..]] {
                        product.run(operand, &weights, panels.clone(), tiles, output);
                    }
                }
            });
            assert_both_close(&written, &added, expected);
        }
    }
}

#[test]
fn sums_continue_in_the_next_chunk_of_channels() {
    const POSITIONS: usize = 3;
    const CHANNELS: usize = BLOCK + 1;
    let plan = ConvPlan::line(POSITIONS);
    let width = tile_width(LEVEL, 1);
    // [block of channels][position][channel of the block] and [channel][output].
    let (x, weights) = (formula(2 * POSITIONS * BLOCK, 1), formula(CHANNELS * width, 2));
    let mut out = vec![f32::NAN; POSITIONS * width];
    for chunk in [0..BLOCK, BLOCK..CHANNELS] {
        LEVEL.run(ConvKernel {
            plan: &plan,
            rows: 0..1,
            x: &x,
            first_input: 0,
            block: BLOCK,
            block_floats: POSITIONS * BLOCK,
            channels: CHANNELS,
            accumulate: chunk.start > 0,
            chunk,
            weights: &weights,
            width,
            out: &mut out,
        });
    }
    for (index, sum) in out.iter().enumerate() {
        let (position, output) = (index / width, index % width);
        let value = |channel: usize| x[(channel / BLOCK * POSITIONS + position) * BLOCK + channel % BLOCK];
        let expected: f32 = (0..CHANNELS)
            .map(|channel| value(channel) * weights[channel * width + output])
            .sum();
        assert!((sum - expected).abs() < 1e-5, "{index}: {sum}, not {expected}");
    }
}

#[test]
fn winograd_tasks() {
    let (shape, [x, weight, dy]) = case([1, 9, 3, 13], 8, 3, ConvGeometry { stride: 1, padding: 1 });
    let of = shape.convolution();
    assert!(winograd::suits(&of));
    let width = tile_width(LEVEL, shape.channels_out);
    let weights = packed(&shape, &weight, width);
    let row = shape.channels_in * width;
    let mut points = vec![0.0; SQUARE_POINTS * row];
    LEVEL.run(WeightTransform {
        weights: &weights,
        row,
        mirrored: false,
        points: &mut points,
    });
    let [written, added] = written_and_added(&of, |output| {
        for task in winograd::tasks(LEVEL, &of) {
            task.run(&x, &points, output);
        }
    });
    let [expected, _, _] = definition(&shape, &x, &weight, &dy);
    assert_both_close(&written, &added, &expected);
}

#[test]
fn weight_gradient_tasks() {
    for (x, channels_out, kernel, stride, padding) in [([2, 17, 3, 2], 17, 3, 1, 1), ([1, 2, 3, 25], 2, 3, 2, 1)] {
        let (shape, [x, weight, dy]) = case(x, channels_out, kernel, ConvGeometry { stride, padding });
        let (y, axis) = shape.axes();
        let width = tile_width(LEVEL, channels_out);
        let plans = WeightGradPlans::new(&shape, &y, &axis, shape.images);
        let mut sums = vec![f32::NAN; channels_out.div_ceil(width) * shape.depth() * width];
        let floats = sums.len();
        let out = DisjointOut::of(&mut sums);
        let cut = BLOCK.min(shape.channels_in);
        for inputs in [0..cut, cut..shape.channels_in] {
            let task = WeightGradTask {
                level: LEVEL,
                shape: &shape,
                y: &y,
                x: &axis,
                inputs,
                outputs: 0..channels_out,
                width,
            };
            // SAFETY: no other thread accesses the sums.
            unsafe {
                let sums = out.at(0, floats);
                task.clear(sums);
                task.add(&x, &dy, 0..shape.images, &plans, sums);
            }
        }
        // From [tile of output channels][input channel][tap][output channel of the tile].
        let depth = shape.depth();
        let sum = |index: usize| sums[(index / depth / width * depth + index % depth) * width + index / depth % width];
        let found: Vec<f32> = (0..shape.weights()).map(sum).collect();
        let [_, _, expected] = definition(&shape, &x, &weight, &dy);
        assert_close(&found, &expected);
    }
}

#[test]
fn transposes() {
    let size = BlockSize { channels: 3, pixels: 5 };
    let planes = formula(size.channels * size.pixels, 1);
    let mut blocks = vec![0.0; size.pixels * 4];
    to_blocks(LEVEL, &planes, size.pixels, size, &mut blocks, 4, 2);
    let mut back = vec![MaybeUninit::uninit(); planes.len()];
    // SAFETY: `back` holds all planes, and they are written before they are read.
    let back: Vec<f32> = unsafe {
        let to: *mut f32 = back.as_mut_ptr().cast();
        to_planes(LEVEL, &blocks, 4, size, to, size.pixels, false);
        to_planes(LEVEL, &blocks, 4, size, to, size.pixels, true);
        back.into_iter().map(|float| float.assume_init()).collect()
    };
    assert!(back.iter().zip(&planes).all(|(back, plane)| *back == 2.0 * plane));
}
