//! Tests that the kernels give the same bytes at every SIMD level.

use barlow_simd::Level;
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

use super::ops::{evaluated, gradients, normalized};
use crate::norm::{Affine, Epilogue, NormSaved};

fn formula<const D: usize>(shape: [usize; D], seed: usize) -> FlexTensor {
    let value = |i: usize| ((i * 7 + seed * 13) as f32 * 0.1).sin();
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn bits(tensor: FlexTensor) -> Vec<u32> {
    let values: Vec<f32> = tensor.into_data().to_vec().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn every_level_gives_the_same_bytes() {
    for shape in [[3, 40, 1], [4, 17, 16], [3, 5, 49], [2, 3, 1000]] {
        for epilogue in [Epilogue::Nothing, Epilogue::Relu, Epilogue::AddRelu(())] {
            let all = |level| {
                let vector = |seed| formula([shape[1]], seed);
                let affine = Affine {
                    weight: vector(3),
                    bias: vector(4),
                };
                let with = || epilogue.map(|()| formula(shape, 5));
                let out = normalized(level, formula(shape, 1), affine.clone(), 1e-5, with());
                let evaluated = evaluated(
                    level,
                    formula(shape, 1),
                    affine.clone(),
                    out.statistics.clone(),
                    1e-5,
                    with(),
                );
                let saved = || NormSaved {
                    x: formula(shape, 1),
                    affine: affine.clone(),
                    statistics: out.statistics.clone(),
                    epsilon: 1e-5,
                    epilogue: epilogue.map(|()| out.y.clone()),
                };
                let with_residual = gradients(level, saved(), formula(shape, 2), true);
                let without = gradients(level, saved(), formula(shape, 2), false);
                assert!(
                    bits(with_residual.x.clone()) == bits(without.x),
                    "{shape:?} {epilogue:?}"
                );
                let tensors = [
                    out.y,
                    out.statistics.mean,
                    out.statistics.variance,
                    evaluated,
                    with_residual.x,
                    with_residual.weight,
                    with_residual.bias,
                ];
                tensors
                    .into_iter()
                    .chain(with_residual.residual)
                    .map(bits)
                    .collect::<Vec<_>>()
            };
            let best = all(Level::Best);
            for level in [Level::Avx2, Level::Baseline] {
                assert!(all(level) == best, "{level:?}: {shape:?} {epilogue:?}");
            }
        }
    }
}
