//! The backend trait of the fused forms.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use super::{Forward, Product, Saved, forms, portable};

/// The operations of the fused forms, overridable per backend. All tensors are f32.
pub trait LossOps: Backend {
    /// Sums over C [D, D] in one pass, `[4]`: Σ (1 − c_ii)², Σ_{i≠j} c_ij², Σ c_ii, Σ c_ii². The same bytes in every run.
    fn correlation_sums(c: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::correlation_sums::<Self>(c)
    }

    /// dL/dC [D, D] from C [D, D] and `weights` `[2]`, the gradients of L with respect to Σ (1 − c_ii)² (w₀) and Σ_{i≠j} c_ij²
    /// (w₁): 2 w₁ c_ij off the diagonal, −2 w₀ (1 − c_ii) on it.
    fn correlation_gradient(c: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::correlation_gradient::<Self>(c, weights)
    }

    /// Maximum size of one tensor on the device, in bytes; `None` if memory is the only limit.
    fn largest_buffer(_device: &Self::Device) -> Option<u64> {
        None
    }

    /// The sums of [`correlation_sums`](Self::correlation_sums) from the embeddings `z` of both views, each [N, D] and not
    /// yet standardised; `epsilon` is added to the biased variance. If `keep`, also returns what the backward pass needs.
    fn terms_forward(product: Product, z: [FloatTensor<Self>; 2], epsilon: f64, keep: bool) -> Forward<Self> {
        forms::forward::<Self>(product, z, epsilon, keep, Self::correlation_sums)
    }

    /// The gradients of [`terms_forward`](Self::terms_forward) with respect to the embeddings, [N, D] each and only if `wanted`,
    /// from the gradient of its sums, `[4]`, whose entries 2 and 3 are ignored because those sums are diagnostics.
    fn terms_backward(
        product: Product,
        saved: Saved<Self>,
        gradient: FloatTensor<Self>,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2] {
        forms::backward::<Self>(product, saved, gradient, wanted, Self::correlation_gradient)
    }
}
