//! Both forms in tensor operations, with explicit forward and backward passes: the default implementations of
//! [`LossOps::terms_forward`](super::LossOps::terms_forward) and [`LossOps::terms_backward`](super::LossOps::terms_backward),
//! which GPU backends use.
//!
//! The backward pass recomputes the standardised views from the embeddings (which the graph holds anyway) instead of saving
//! two more [N, D] tensors. Of the large matrices, C or the two Gram matrices are saved.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

use super::{Forward, Product, Saved};

/// Mean and 1/σ of every feature of one view, each [1, D].
#[derive(Clone)]
pub(crate) struct Moments<B: Backend> {
    pub mean: Tensor<B, 2>,
    pub inverse_std: Tensor<B, 2>,
}

impl<B: Backend> Moments<B> {
    fn of(z: &Tensor<B, 2>, epsilon: f64) -> Self {
        let mean = z.clone().mean_dim(0);
        let variance = (z.clone() - mean.clone()).square().mean_dim(0);
        Self::new(mean, variance, epsilon)
    }

    /// Computes them from mean and biased variance, [1, D] each.
    pub fn new(mean: Tensor<B, 2>, variance: Tensor<B, 2>, epsilon: f64) -> Self {
        Self {
            mean,
            inverse_std: variance.add_scalar(epsilon).sqrt().recip(),
        }
    }

    /// (z − mean) / σ
    pub fn standardise(&self, z: Tensor<B, 2>) -> Tensor<B, 2> {
        (z - self.mean.clone()) * self.inverse_std.clone()
    }
}

/// The forward pass; `correlation_sums` is the backend's [`LossOps::correlation_sums`](super::LossOps::correlation_sums).
pub(super) fn forward<B: Backend>(
    product: Product,
    z: [FloatTensor<B>; 2],
    epsilon: f64,
    keep: bool,
    correlation_sums: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> Forward<B> {
    let [z_a, z_b] = z.map(wrap::<B, 2>);
    let n = z_a.dims()[0] as f64;
    let [moments_a, moments_b] = [&z_a, &z_b].map(|z| Moments::of(z, epsilon));
    let (a, b) = (moments_a.standardise(z_a), moments_b.standardise(z_b));
    let (sums, matrices) = match product {
        Product::Direct => {
            // Divided before the product and not after it, because [N, D] is smaller than [D, D].
            let c = a.transpose().matmul(b.div_scalar(n));
            let sums = correlation_sums(unwrap(c.clone()));
            (sums, vec![c])
        }
        Product::Gram => {
            let diagonal = (a.clone() * b.clone()).mean_dim(0);
            let (gram_a, gram_b) = (gram(a), gram(b));
            let sums = gram_sums(diagonal.clone(), gram_squares(&gram_a, &gram_b, n));
            (unwrap(sums), vec![diagonal, gram_a, gram_b])
        }
    };
    let kept = [
        moments_a.mean,
        moments_a.inverse_std,
        moments_b.mean,
        moments_b.inverse_std,
    ];
    let kept = kept.into_iter().chain(matrices).map(unwrap).filter(|_| keep).collect();
    Forward { sums, kept }
}

/// The backward pass; `correlation_gradient` is the backend's
/// [`LossOps::correlation_gradient`](super::LossOps::correlation_gradient).
pub(super) fn backward<B: Backend>(
    product: Product,
    saved: Saved<B>,
    gradient: FloatTensor<B>,
    wanted: [bool; 2],
    correlation_gradient: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> [Option<FloatTensor<B>>; 2] {
    let [z_a, z_b] = saved.z.map(wrap::<B, 2>);
    let mut kept = saved.kept.into_iter().map(wrap::<B, 2>);
    let mut next = || kept.next().expect("saved by the forward pass");
    let [moments_a, moments_b] = [(); 2].map(|()| Moments {
        mean: next(),
        inverse_std: next(),
    });
    let n = z_a.dims()[0] as f64;
    let (a, b) = (moments_a.standardise(z_a), moments_b.standardise(z_b));
    let weights = wrap::<B, 1>(gradient).narrow(0, 0, 2);
    let [slope_a, slope_b] = match product {
        Product::Direct => {
            // The two weights are divided by N instead of the whole [D, D] gradient computed from them.
            let slope = wrap::<B, 2>(correlation_gradient(unwrap(next()), unwrap(weights.div_scalar(n))));
            [
                wanted[0].then(|| b.clone().matmul(slope.clone().transpose())),
                wanted[1].then(|| a.clone().matmul(slope)),
            ]
        }
        Product::Gram => {
            let (diagonal, gram_a, gram_b) = (next(), next(), next());
            let (factor, slope) = gram_slopes(weights, diagonal, n);
            let product = |gram: Tensor<B, 2>, own: &Tensor<B, 2>, other: &Tensor<B, 2>| {
                gram.matmul(own.clone()) * factor.clone() + other.clone() * slope.clone()
            };
            [
                wanted[0].then(|| product(gram_b, &a, &b)),
                wanted[1].then(|| product(gram_a, &b, &a)),
            ]
        }
    };
    let through = |slope: Tensor<B, 2>, standardised: Tensor<B, 2>, moments: Moments<B>| {
        let tilt = (slope.clone() * standardised.clone()).mean_dim(0);
        through_standardisation(
            slope.clone(),
            standardised,
            slope.mean_dim(0),
            tilt,
            moments.inverse_std,
        )
    };
    [
        slope_a.map(|slope| unwrap(through(slope, a, moments_a))),
        slope_b.map(|slope| unwrap(through(slope, b, moments_b))),
    ]
}

/// Z Zᵀ, [N, N].
pub(crate) fn gram<B: Backend>(standardised: Tensor<B, 2>) -> Tensor<B, 2> {
    standardised.clone().matmul(standardised.transpose())
}

/// ‖C‖²_F, [1, 1], from both Gram matrices, or the part of it that belongs to some of their rows.
pub(crate) fn gram_squares<B: Backend>(gram_a: &Tensor<B, 2>, gram_b: &Tensor<B, 2>, n: f64) -> Tensor<B, 2> {
    (gram_a.clone() * gram_b.clone())
        .sum_dim(1)
        .sum_dim(0)
        .div_scalar(n * n)
}

/// The packed sums `[4]` from diag C [1, D] and ‖C‖²_F [1, 1].
///
/// Σ_{i≠j} c_ij² = ‖C‖²_F − Σ c_ii² suffers from cancellation if C is nearly diagonal; the absolute error is at most about
/// 1e-7 · Σ c_ii². As ‖C‖²_F ≥ (tr C)² / (N − 1), this requires fewer live features than N: D < N, or many dead features.
pub(crate) fn gram_sums<B: Backend>(diagonal: Tensor<B, 2>, all: Tensor<B, 2>) -> Tensor<B, 1> {
    let squares = diagonal.clone().square().sum_dim(1);
    let invariance = diagonal.clone().sub_scalar(1.0).square().sum_dim(1);
    Tensor::cat(vec![invariance, all - squares.clone(), diagonal.sum_dim(1), squares], 1).reshape([4])
}

/// Returns `factor` [1, 1] = 2 w₁ / N² and `slope` [1, D] = (−2 w₀ (1 − c_ii) − 2 w₁ c_ii) / N. The gradient of
/// w₀ Σ (1 − c_ii)² + w₁ (‖C‖²_F − Σ c_ii²) for the standardised view a is `factor` · G_b Z_a + `slope` ⊙ Z_b, and likewise
/// for b.
pub(crate) fn gram_slopes<B: Backend>(
    weights: Tensor<B, 1>,
    diagonal: Tensor<B, 2>,
    n: f64,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let [invariance, redundancy] =
        [0, 1].map(|entry| weights.clone().narrow(0, entry, 1).reshape([1, 1]).mul_scalar(2.0 / n));
    let factor = redundancy.clone().div_scalar(n);
    let slope = diagonal.clone().sub_scalar(1.0) * invariance - diagonal * redundancy;
    (factor, slope)
}

/// The gradient of z: (slope − mean − standardised · tilt) / σ, where `slope` is the gradient of the standardised z, `mean` its
/// batch mean, and `tilt` the batch mean of `slope` ⊙ standardised.
pub(crate) fn through_standardisation<B: Backend>(
    slope: Tensor<B, 2>,
    standardised: Tensor<B, 2>,
    mean: Tensor<B, 2>,
    tilt: Tensor<B, 2>,
    inverse_std: Tensor<B, 2>,
) -> Tensor<B, 2> {
    (slope - mean - standardised * tilt) * inverse_std
}

pub(crate) fn wrap<B: Backend, const R: usize>(primitive: FloatTensor<B>) -> Tensor<B, R> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

pub(crate) fn unwrap<B: Backend, const R: usize>(tensor: Tensor<B, R>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}
