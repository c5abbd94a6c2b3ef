//! The specification: the loss in plain, public tensor operations. Never optimised; every other form is tested
//! against it.
//!
//! The choices, each as in the official code (facebookresearch/barlowtwins `main.py`):
//!
//! * the variance is biased and epsilon stands inside the root, so the diagonal of C can reach 1 at any N;
//! * C is divided by the N of the tensors at hand, not by a configured batch size;
//! * mean and deviation are part of the graph;
//! * the two views are standardised separately, which makes the loss invariant to an affine map of either;
//! * everything is 32-bit float: squares of small correlations underflow in half precision.
//!
//! Must not depend on the other forms.

use burn::tensor::{FloatDType, Tensor, backend::Backend};

/// The two terms of the loss and one reading, each `[1]`, without lambda and scale.
#[derive(Clone, Debug)]
pub struct Terms<B: Backend> {
    /// Σ (1 − c_ii)².
    pub invariance: Tensor<B, 1>,
    /// Σ_{i≠j} c_ij².
    pub redundancy_reduction: Tensor<B, 1>,
    /// Mean of c_ii.
    pub diagonal_mean: Tensor<B, 1>,
}

/// The terms of the loss for embeddings `[N, D]` of both views.
///
/// # Panics
///
/// If the shapes differ (Burn's own check) or N or D is 0.
pub fn terms<B: Backend>(z_a: Tensor<B, 2>, z_b: Tensor<B, 2>, epsilon: f64) -> Terms<B> {
    let [n, d] = z_a.dims();
    let (a, b) = (standardise(z_a, epsilon), standardise(z_b, epsilon));
    let diagonal = (a.clone() * b.clone()).sum_dim(0).div_scalar(n as f64);
    let off_diagonal = off_diagonal(a.transpose().matmul(b).div_scalar(n as f64));
    Terms {
        invariance: sum(diagonal.clone().sub_scalar(1.0).square()),
        redundancy_reduction: sum(off_diagonal.square()),
        diagonal_mean: sum(diagonal).div_scalar(d as f64),
    }
}

/// Subtracts the batch mean and divides by the biased batch deviation, feature by feature; `[N, D]` to `[N, D]`, f32.
pub fn standardise<B: Backend>(z: Tensor<B, 2>, epsilon: f64) -> Tensor<B, 2> {
    let z = z.cast(FloatDType::F32);
    let centred = z.clone() - z.mean_dim(0);
    let variance = centred.clone().square().mean_dim(0);
    centred / variance.add_scalar(epsilon).sqrt()
}

/// Everything of a square matrix `[D, D]` but its diagonal, `[D − 1, D]` (`[1, 1]` of zero for D = 1).
///
/// The official code's trick: written in a row without its last element and cut into D − 1 lines of D + 1, the matrix
/// has its diagonal in the first column. No D × D mask, and no ‖C‖² − Σ c_ii², which cancels when C is near identity.
fn off_diagonal<B: Backend>(c: Tensor<B, 2>) -> Tensor<B, 2> {
    let [d, _] = c.dims();
    if d == 1 {
        return c.zeros_like();
    }
    c.reshape([d * d])
        .slice([0..d * d - 1])
        .reshape([d - 1, d + 1])
        .slice([0..d - 1, 1..d + 1])
}

/// The sum of all elements, along the last axis and then the first: an order that is the same in every run. Burn's own
/// `sum` of a large tensor on the CPU adds partial sums as the threads hand them in.
fn sum<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 1> {
    x.sum_dim(1).sum_dim(0).reshape([1])
}
