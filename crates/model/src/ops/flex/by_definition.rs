//! The three operations at every vector level against their definition in f64.

use super::super::ConvGeometry;
use super::shape::ConvShape;
use super::weight_gradient::weight_gradient;
use crate::ops::cpu::simd::Level;

fn formula(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed * 13) as f32 * 0.1).sin()).collect()
}

/// Output, gradient for the input and gradient for the weight, each with the sum of its terms' magnitudes.
fn definition(shape: &ConvShape, x: &[f32], weight: &[f32], dy: &[f32]) -> [Vec<[f64; 2]>; 3] {
    let ConvShape {
        images,
        channels_in,
        height,
        width,
        channels_out,
        out_height,
        out_width,
        kernel,
        stride,
        padding,
    } = *shape;
    let zeros = |len| vec![[0.0; 2]; len];
    let [mut out, mut input, mut weights] = [zeros(dy.len()), zeros(x.len()), zeros(weight.len())];
    let mut add = |y: usize, i: usize, w: usize| {
        for (sum, product) in [
            (&mut out[y], f64::from(x[i]) * f64::from(weight[w])),
            (&mut input[i], f64::from(dy[y]) * f64::from(weight[w])),
            (&mut weights[w], f64::from(dy[y]) * f64::from(x[i])),
        ] {
            sum[0] += product;
            sum[1] += product.abs();
        }
    };
    for (image, o, c) in
        (0..images).flat_map(|image| (0..channels_out).flat_map(move |o| (0..channels_in).map(move |c| (image, o, c))))
    {
        for (oy, ox) in (0..out_height).flat_map(|oy| (0..out_width).map(move |ox| (oy, ox))) {
            for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                let (Some(iy), Some(ix)) = (
                    (oy * stride + ky).checked_sub(padding),
                    (ox * stride + kx).checked_sub(padding),
                ) else {
                    continue;
                };
                if iy < height && ix < width {
                    add(
                        ((image * channels_out + o) * out_height + oy) * out_width + ox,
                        ((image * channels_in + c) * height + iy) * width + ix,
                        ((o * channels_in + c) * kernel + ky) * kernel + kx,
                    );
                }
            }
        }
    }
    [out, input, weights]
}

fn compare(x: [usize; 4], channels_out: usize, kernel: usize, stride: usize, padding: usize) {
    let weight = [channels_out, x[1], kernel, kernel];
    let shape = ConvShape::new(x, weight, ConvGeometry { stride, padding });
    let (x, weight) = (formula(x.iter().product(), 1), formula(weight.iter().product(), 2));
    let dy = formula(shape.output_dims().iter().product(), 3);
    let expected = definition(&shape, &x, &weight, &dy);
    for level in [Level::Best, Level::Avx2, Level::Baseline] {
        let ours = [
            shape.convolution().run(level, &x, &weight, false),
            shape.input_gradient().run(level, &dy, &weight, true),
            weight_gradient(level, &shape, &x, &dy),
        ];
        for ((ours, expected), what) in ours
            .iter()
            .zip(&expected)
            .zip(["forward", "input gradient", "weight gradient"])
        {
            assert_eq!(ours.len(), expected.len());
            for (index, (a, [b, magnitude])) in ours.iter().zip(expected).enumerate() {
                assert!(
                    (f64::from(*a) - b).abs() <= 1e-5 * magnitude,
                    "{what} at {level:?} of {shape:?}: element {index} is {a}, not {b}"
                );
            }
        }
    }
}

#[test]
fn every_level_is_right_on_an_ugly_grid() {
    for kernel in [1, 3, 7] {
        for (stride, padding) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 3), (3, 1)] {
            for [height, width] in [[1, 2], [5, 7], [4, 17], [13, 12]] {
                if height.min(width) + 2 * padding < kernel {
                    continue;
                }
                for [images, channels_in, channels_out] in [[1, 1, 1], [3, 17, 2], [1, 3, 17], [11, 5, 40]] {
                    compare(
                        [images, channels_in, height, width],
                        channels_out,
                        kernel,
                        stride,
                        padding,
                    );
                }
            }
        }
    }
}

/// Several bands of rows, chunks of channels, tiles and ranges of output channels, groups of images, the last of each ragged.
#[test]
fn every_level_is_right_where_the_work_is_cut() {
    compare([2, 70, 40, 33], 34, 3, 1, 1);
    compare([2, 70, 41, 33], 34, 3, 2, 1);
    compare([9, 300, 5, 4], 49, 3, 1, 1);
    compare([17, 131, 4, 4], 150, 3, 2, 1);
    compare([1, 3, 65, 65], 16, 7, 2, 3);
    compare([3, 600, 14, 3], 33, 1, 1, 0);
}

/// Wide maps with enough channels for Winograd's transforms: odd sizes, every padding, ragged blocks, bands and tiles.
#[test]
fn every_level_is_right_with_transforms() {
    compare([2, 9, 13, 12], 17, 3, 1, 0);
    compare([2, 33, 15, 14], 8, 3, 1, 1);
    compare([1, 16, 12, 27], 40, 3, 1, 2);
    compare([2, 17, 1, 15], 16, 3, 1, 3);
    compare([1, 130, 31, 30], 33, 3, 1, 1);
}
