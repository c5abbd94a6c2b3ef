//! Tests that all kernels give the same bytes as their baseline versions.

use crate::simd::at_baseline;
use crate::{PlanarImage8, RgbImage8};

#[test]
fn every_kernel_gives_the_same_bytes_with_and_without_vectors() {
    type Operation = fn(&mut PlanarImage8);
    let operations: [(&str, Operation); 11] = [
        ("flip", crate::flip_horizontal),
        ("brightness", |i| crate::brightness(i.rgb_planes().unwrap(), 1.37)),
        ("contrast", |i| crate::contrast(i.rgb_planes().unwrap(), 0.63)),
        ("saturation", |i| crate::saturation(i.rgb_planes().unwrap(), 1.19)),
        ("hue", |i| crate::hue(i.rgb_planes().unwrap(), -0.09)),
        ("greyscale", |i| crate::greyscale(i.rgb_planes().unwrap())),
        ("solarize", |i| crate::solarize(i.rgb_planes().unwrap())),
        ("small blur", |i| crate::gaussian_blur(i, 0.7)),
        ("blur", |i| crate::gaussian_blur(i, 1.9)),
        ("large blur", |i| crate::gaussian_blur(i, 6.0)),
        ("interleave", |i| *i = PlanarImage8::from(&RgbImage8::from(&*i))),
    ];
    // Widths around the number of lanes of every vector, so that remainders are covered too.
    for width in [1, 3, 15, 16, 17, 63, 64, 65, 224] {
        let pixels = (0..3 * width * 19).map(|k| ((k * 7919 + k * k / 31) % 256) as u8);
        let image = PlanarImage8::new(3, width, 19, pixels.collect());
        for (name, operation) in operations {
            let (mut wide, mut narrow) = (image.clone(), image.clone());
            operation(&mut wide);
            at_baseline(|| operation(&mut narrow));
            assert!(wide.pixels() == narrow.pixels(), "{name} of {width} pixels");
        }
    }
}
