//! Inputs that any language can regenerate, and a small random generator for the properties.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use burn::{
    backend::Autodiff,
    tensor::{Tensor, TensorData},
};
use burn_flex::Flex;

pub type B = Autodiff<Flex>;

/// Embeddings by a formula: `z[i, j] = f(i, j)`.
pub fn matrix(n: usize, d: usize, f: impl Fn(f64, f64) -> f64) -> Tensor<B, 2> {
    let values: Vec<f32> = (0..n * d).map(|k| f((k / d) as f64, (k % d) as f64) as f32).collect();
    tensor(values, n, d)
}

/// Embeddings from a row-major list.
pub fn tensor(values: Vec<f32>, n: usize, d: usize) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values, [n, d]), &Default::default())
}

/// The pair of formula inputs that all golden numbers use.
pub fn formula_pair(n: usize, d: usize) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let a = |i: f64, j: f64| (0.7 * i + 1.3 * j).sin();
    (
        matrix(n, d, a),
        matrix(n, d, |i, j| a(i, j) + 0.5 * (1.1 * i - 0.4 * j).cos()),
    )
}

/// Nearly normal numbers, a function of the seed: the sum of twelve uniform draws (SplitMix64) less 6.
pub fn normal(n: usize, d: usize, seed: u64) -> Tensor<B, 2> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    tensor(
        (0..n * d)
            .map(|_| ((0..12).map(|_| uniform()).sum::<f64>() - 6.0) as f32)
            .collect(),
        n,
        d,
    )
}

/// The numbers of a tensor of any rank.
pub fn values<const D: usize>(x: Tensor<B, D>) -> Vec<f32> {
    x.into_data().to_vec().unwrap()
}

/// Asserts |got − expected| ≤ tolerance, element by element.
pub fn assert_close(got: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (k, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(got) - expected).abs() <= tolerance,
            "{what}[{k}]: {got}, expected {expected}"
        );
    }
}
