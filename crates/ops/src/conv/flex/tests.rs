//! Tests of the three operations at every SIMD level, compared with their definition in f64.

use barlow_simd::Level;

use super::definition::{definition, formula};
use super::shape::ConvShape;
use super::weight_gradient::weight_gradient;
use crate::ConvGeometry;

fn compare(x: [usize; 4], channels_out: usize, kernel: usize, stride: usize, padding: usize) {
    let weight = [channels_out, x[1], kernel, kernel];
    let shape = ConvShape::new(x, weight, ConvGeometry { stride, padding });
    let (x, weight) = (formula(x.iter().product(), 1), formula(weight.iter().product(), 2));
    let dy = formula(shape.output_dims().iter().product(), 3);
    let expected = definition(&shape, &x, &weight, &dy);
    for level in Level::ALL {
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
fn every_level_is_correct_on_an_ugly_grid() {
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

/// Several bands of rows, chunks of channels, tiles and ranges of output channels, and groups of images; the last one of each is
/// partial.
#[test]
fn every_level_is_correct_where_the_work_is_split() {
    compare([2, 70, 40, 33], 34, 3, 1, 1);
    compare([2, 70, 41, 33], 34, 3, 2, 1);
    compare([9, 300, 5, 4], 49, 3, 1, 1);
    compare([17, 131, 4, 4], 150, 3, 2, 1);
    compare([1, 3, 65, 65], 16, 7, 2, 3);
    compare([3, 600, 14, 3], 33, 1, 1, 0);
}

/// One tap without padding, a matrix product: panels that span images and rows, narrower last panels, partial tiles, any stride.
#[test]
fn every_level_is_correct_as_a_product() {
    for (stride, [height, width]) in [
        (1, [1, 1]),
        (1, [7, 7]),
        (1, [5, 23]),
        (2, [7, 7]),
        (2, [8, 5]),
        (3, [11, 10]),
        (4, [9, 3]),
    ] {
        for [images, channels_in, channels_out] in [[1, 1, 9], [3, 17, 8], [5, 40, 1], [2, 9, 31], [11, 64, 72]] {
            compare([images, channels_in, height, width], channels_out, 1, stride, 0);
        }
    }
    // Several tasks along both sides.
    compare([33, 70, 7, 9], 77, 1, 1, 0);
    compare([2, 3, 70, 66], 5, 1, 2, 0);
}

/// Wide maps with enough channels for Winograd's transforms: odd sizes, every padding, partial blocks, bands and tiles.
#[test]
fn every_level_is_correct_with_transforms() {
    compare([2, 9, 13, 12], 17, 3, 1, 0);
    compare([2, 33, 15, 14], 8, 3, 1, 1);
    compare([1, 16, 12, 27], 40, 3, 1, 2);
    compare([2, 17, 1, 15], 16, 3, 1, 3);
    compare([1, 130, 31, 30], 33, 3, 1, 1);
}

/// From 33 pixels on (46 for narrow tiles) the weights of a tile exceed the kernel's chunk, which is then one block of channels.
#[test]
fn every_level_is_correct_with_large_kernels() {
    for (kernel, channels_out) in [(33, 17), (33, 2), (46, 2), (47, 2), (47, 17), (64, 17)] {
        // As large as the kernel except for the padding, so that there are few outputs; more input channels than one block.
        compare([2, 17, kernel - 1, kernel - 3], channels_out, kernel, 1, 2);
        compare([1, 2, kernel + 1, kernel], channels_out, kernel, 2, 1);
    }
}
