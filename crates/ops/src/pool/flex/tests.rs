//! Tests that the kernels give the same bytes at every SIMD level.

use barlow_simd::Level;
use burn::tensor::{Shape, TensorMetadata};
use burn_flex::FlexTensor;

use super::ops::{max_backward, max_forward, mean_forward};
use crate::cpu::tensors::tensor;
use crate::{ConvGeometry, MaxPooled, Window};

fn formula(shape: [usize; 4]) -> FlexTensor {
    let value = |i: usize| ((i * 7) as f32 * 0.1).sin();
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    tensor(values, Shape::new(shape))
}

#[test]
fn every_level_gives_the_same_bytes() {
    for (shape, size, stride, padding) in [
        ([2, 17, 33, 70], 3, 2, 1),
        ([1, 3, 9, 8], 3, 1, 0),
        ([2, 2, 40, 41], 7, 3, 3),
        ([3, 1, 5, 5], 1, 1, 0),
    ] {
        let window = Window {
            size,
            geometry: ConvGeometry { stride, padding },
        };
        let all = |level| {
            let x = formula(shape);
            let MaxPooled { y, places } = max_forward(level, x.clone(), window);
            let dx = max_backward(level, formula(y.shape().dims()), places.clone(), window, x.shape());
            let values = [y, dx, mean_forward(level, x)].map(|t| t.into_data().to_vec::<f32>().unwrap());
            (values, places.into_data().to_vec::<u8>().unwrap())
        };
        let best = all(Level::Best);
        for level in [Level::Avx2, Level::Baseline] {
            assert!(all(level) == best, "{level:?}: {shape:?}, size {size}");
        }
    }
}
