//! Inputs and comparison for the tests against results of the official codes in float64. `inputs::x(n, d)` are functions of row i
//! and column j that any language can repeat.

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};

pub type Diff = Autodiff<Flex>;

/// The largest difference of a loss, relative to it or to 1, whichever is larger.
const LOSS: f64 = 1e-6;
/// The largest relative difference of a gradient's norm.
const GRADIENT: f64 = 1e-5;

/// A matrix of `value(i, j)`.
pub fn matrix(n: usize, d: usize, value: impl Fn(f64, f64) -> f64) -> Tensor<Diff, 2> {
    let values: Vec<f32> = (0..n * d)
        .map(|k| value((k / d) as f64, (k % d) as f64) as f32)
        .collect();
    Tensor::from_data(TensorData::new(values, [n, d]), &FlexDevice)
}

/// The inputs of the goldens.
pub mod inputs {
    use super::{Diff, matrix};
    use crate::unit_rows;
    use burn::tensor::Tensor;

    fn first(i: f64, j: f64) -> f64 {
        (0.7 * i + 1.3 * j).sin()
    }

    /// sin(0.7 i + 1.3 j)
    pub fn za(n: usize, d: usize) -> Tensor<Diff, 2> {
        matrix(n, d, first)
    }

    /// za + 0.5 cos(1.1 i − 0.4 j)
    pub fn zb(n: usize, d: usize) -> Tensor<Diff, 2> {
        matrix(n, d, |i, j| first(i, j) + 0.5 * (1.1 * i - 0.4 * j).cos())
    }

    /// cos(0.5 i + 0.9 j)
    pub fn pa(n: usize, d: usize) -> Tensor<Diff, 2> {
        matrix(n, d, |i, j| (0.5 * i + 0.9 * j).cos())
    }

    /// pa + 0.3 sin(0.8 i − 0.6 j)
    pub fn pb(n: usize, d: usize) -> Tensor<Diff, 2> {
        matrix(n, d, |i, j| (0.5 * i + 0.9 * j).cos() + 0.3 * (0.8 * i - 0.6 * j).sin())
    }

    /// sin(0.4 i + 0.2 j + 0.9), a small crop
    pub fn zc(n: usize, d: usize) -> Tensor<Diff, 2> {
        matrix(n, d, |i, j| (0.4 * i + 0.2 * j + 0.9).sin())
    }

    /// Unit rows of sin(0.37 (k + 1) (j + 1))
    pub fn prototypes(k: usize, d: usize) -> Tensor<Diff, 2> {
        unit_rows(matrix(k, d, |k, j| (0.37 * (k + 1.0) * (j + 1.0)).sin())).detach()
    }

    /// Unit rows of cos(0.23 i + 0.71 j), and of sin(0.31 i + 0.53 j)
    pub fn banks(m: usize, d: usize) -> [Tensor<Diff, 2>; 2] {
        let first = matrix(m, d, |i, j| (0.23 * i + 0.71 * j).cos());
        let second = matrix(m, d, |i, j| (0.31 * i + 0.53 * j).sin());
        [first, second].map(|bank| unit_rows(bank).detach())
    }
}

/// Leaves with a gradient.
pub fn leaves<const K: usize>(x: [Tensor<Diff, 2>; K]) -> [Tensor<Diff, 2>; K] {
    x.map(Tensor::require_grad)
}

pub fn value(x: &Tensor<Diff, 1>) -> f64 {
    f64::from(x.clone().into_scalar())
}

/// Compares a loss, and the norms of its gradients for some leaves.
///
/// # Panics
/// If one differs.
pub fn assert_golden(what: &str, loss: Tensor<Diff, 1>, expected: f64, leaves: &[Tensor<Diff, 2>], norms: &[f64]) {
    let found = value(&loss);
    let difference = (found - expected).abs() / expected.abs().max(1.0);
    assert!(difference < LOSS, "{what}: {found}, not {expected}");
    let gradients = loss.backward();
    assert_eq!(leaves.len(), norms.len());
    for (index, (leaf, expected)) in leaves.iter().zip(norms).enumerate() {
        let gradient = leaf.grad(&gradients).expect("a leaf of the loss");
        let values: Vec<f32> = gradient.into_data().to_vec().expect("f32");
        let found = values.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        assert!(
            (found - expected).abs() < GRADIENT * expected,
            "{what}: norm of gradient {index} is {found}, not {expected}"
        );
    }
}
