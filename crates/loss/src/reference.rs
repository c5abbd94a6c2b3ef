//! Reference implementation of the loss in plain, public tensor operations. It is the specification: never optimised, and every
//! other form is tested against it.
//!
//! Design decisions, each as in the official code (facebookresearch/barlowtwins `main.py`):
//!
//! * the variance is biased and epsilon is inside the root, so the diagonal of C can reach 1 at any N;
//! * C is divided by the N of the given tensors, not by a configured batch size;
//! * mean and deviation are part of the graph;
//! * the two views are standardised separately, which makes the loss invariant to an affine map of either;
//! * all arithmetic is f32: squares of small correlations underflow in half precision.
//!
//! Must not depend on the other forms.

use burn::tensor::{FloatDType, Tensor, backend::Backend};

/// The two terms of the loss, each `[1]` without lambda and scale, and the sums that the diagnostics are computed from.
#[derive(Clone, Debug)]
pub struct Terms<B: Backend> {
    /// Σ (1 − c_ii)².
    pub invariance: Tensor<B, 1>,
    /// Σ_{i≠j} c_ij².
    pub redundancy_reduction: Tensor<B, 1>,
    /// `[4]`, without gradient: Σ (1 − c_ii)², Σ_{i≠j} c_ij², Σ c_ii, Σ c_ii².
    pub sums: Tensor<B, 1>,
}

impl<B: Backend> Terms<B> {
    /// Terms from the diagonal of C, [1, D], and its other elements in any shape.
    pub(crate) fn of(diagonal: Tensor<B, 2>, off_diagonal: Tensor<B, 2>) -> Self {
        let invariance = sum(diagonal.clone().sub_scalar(1.0).square());
        let redundancy_reduction = sum(off_diagonal.square());
        let diagonal = diagonal.detach();
        let sums = vec![
            invariance.clone().detach(),
            redundancy_reduction.clone().detach(),
            sum(diagonal.clone()),
            sum(diagonal.square()),
        ];
        Self {
            invariance,
            redundancy_reduction,
            sums: Tensor::cat(sums, 0),
        }
    }

    /// Terms from the packed sums, with the gradient of the sums.
    pub(crate) fn packed(sums: Tensor<B, 1>) -> Self {
        Self {
            invariance: sums.clone().narrow(0, 0, 1),
            redundancy_reduction: sums.clone().narrow(0, 1, 1),
            sums: sums.detach(),
        }
    }
}

/// The terms of the loss for embeddings `[N, D]` of both views.
///
/// # Panics
///
/// If the shapes differ, N < 2 or D = 0; the message contains both shapes.
pub fn terms<B: Backend>(z_a: Tensor<B, 2>, z_b: Tensor<B, 2>, epsilon: f64) -> Terms<B> {
    let [n, _] = check_shapes(z_a.dims(), z_b.dims());
    let (a, b) = (standardise(z_a, epsilon), standardise(z_b, epsilon));
    let diagonal = (a.clone() * b.clone()).sum_dim(0).div_scalar(n as f64);
    Terms::of(diagonal, off_diagonal(a.transpose().matmul(b).div_scalar(n as f64)))
}

/// Subtracts the batch mean and divides by the biased batch deviation, feature by feature; `[N, D]` to `[N, D]`, f32.
pub fn standardise<B: Backend>(z: Tensor<B, 2>, epsilon: f64) -> Tensor<B, 2> {
    let centred = centre(z);
    let variance = centred.clone().square().mean_dim(0);
    centred / variance.add_scalar(epsilon).sqrt()
}

/// Subtracts the batch mean, feature by feature; `[N, D]` to `[N, D]`, f32.
pub(crate) fn centre<B: Backend>(z: Tensor<B, 2>) -> Tensor<B, 2> {
    let z = z.cast(FloatDType::F32);
    z.clone() - z.mean_dim(0)
}

/// The off-diagonal elements of a square matrix `[D, D]` as `[D − 1, D]` (a zero `[1, 1]` for D = 1).
///
/// The method of the official code: flattened without its last element and reshaped to D − 1 rows of D + 1, the matrix has its
/// diagonal in the first column. This needs no D × D mask and avoids ‖C‖² − Σ c_ii², which cancels if C is near the identity.
pub(crate) fn off_diagonal<B: Backend>(c: Tensor<B, 2>) -> Tensor<B, 2> {
    let [d, _] = c.dims();
    if d == 1 {
        return c.zeros_like();
    }
    c.reshape([d * d])
        .narrow(0, 0, d * d - 1)
        .reshape([d - 1, d + 1])
        .narrow(1, 1, d)
}

/// The sum of all elements, along the last axis and then the first, in the same order in every run. Burn's own `sum` of a large
/// tensor on the CPU adds partial sums in the order in which the threads finish.
pub(crate) fn sum<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 1> {
    x.sum_dim(1).sum_dim(0).reshape([1])
}

/// max(x, 0) that propagates NaN: the `clamp_min` of some backends is `f32::max`, which returns 0 for NaN.
pub(crate) fn positive_part<B: Backend, const R: usize>(x: Tensor<B, R>) -> Tensor<B, R> {
    let negative = x.clone().lower_elem(0.0);
    x.mask_fill(negative, 0.0)
}

/// Returns N and D of both views.
///
/// # Panics
///
/// If the shapes differ, N < 2 or D = 0; the message contains both shapes.
pub(crate) fn check_shapes(a: [usize; 2], b: [usize; 2]) -> [usize; 2] {
    assert!(
        a == b,
        "the embeddings of the two views must have the same shape [N, D]: z_a is {a:?}, z_b is {b:?}"
    );
    let [n, d] = a;
    assert!(
        n >= 2,
        "a correlation needs at least N = 2 images: z_a is {a:?}, z_b is {b:?}"
    );
    assert!(
        d >= 1,
        "the embeddings have no dimension (D = 0): z_a is {a:?}, z_b is {b:?}"
    );
    a
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn::tensor::TensorData;
    use burn_flex::Flex;

    /// 300 runs, because that many are needed to detect the non-determinism of Burn's own `sum` on two cores.
    #[test]
    fn a_large_sum_has_the_same_bytes_every_time() {
        // 2304² is about 5.3 million elements, above the 4,194,304 from which Burn's sum is parallel.
        let wave = (0..2304 * 2304).map(|k| (k as f32 * 0.37).sin()).collect();
        let x = Tensor::<Flex, 2>::from_data(TensorData::new::<f32, _>(wave, [2304, 2304]), &Default::default());
        let read = || sum(x.clone()).into_scalar().to_bits();
        let first = read();
        // CI runs it 300 times; without optimisation that takes seconds.
        let runs = if cfg!(debug_assertions) { 20 } else { 300 };
        assert!((1..runs).all(|_| read() == first));
    }
}
