//! The losses of momentum contrast: a query against its key and others. MoCo v2 takes the others from a queue of earlier keys (He
//! et al. 2020, arXiv 1911.05722; Chen et al. 2020, arXiv 2003.04297), MoCo v3 from the batch (Chen, Xie, He 2021, arXiv
//! 2104.02057).
//!
//! Follow the official codes (facebookresearch/moco `builder.py`, facebookresearch/moco-v3 `builder.py`). Keys have no gradient.

use burn::tensor::{FloatDType, Tensor, backend::Backend};

use crate::reference::sum;
use crate::rows::{check_same, diagonal, log_sum_exp, mean_rank, unit_rows};

/// Output of [`moco_v2`] and [`moco_v3`]: each tensor is `[1]`, f32 and still on the device.
#[derive(Clone, Debug)]
pub struct ContrastOutput<B: Backend> {
    /// The loss.
    pub loss: Tensor<B, 1>,
    /// Mean rank of each query's own key among all of its logits, 1 at best. Without a gradient.
    pub positive_rank: Tensor<B, 1>,
}

/// MoCo v2's loss: each query against its key and a queue of earlier keys.
///
/// ```text
/// ℓ    = [ u(q)·u(k), u(q)·queue ] / τ
/// loss = mean over N of −log softmax(ℓ)_0
/// ```
///
/// # Shapes
///
/// - q, k: `[N, D]`
/// - queue: `[M, D]`, rows of unit length, without the keys of this batch
/// - every output: `[1]`
///
/// # Panics
///
/// If the shapes differ or are empty, or `temperature` is not above 0.
pub fn moco_v2<B: Backend>(
    q: Tensor<B, 2>,
    k: Tensor<B, 2>,
    queue: Tensor<B, 2>,
    temperature: f64,
) -> ContrastOutput<B> {
    check_same(["q", "k"], q.dims(), k.dims());
    let [m, width] = queue.dims();
    assert!(
        m > 0 && width == q.dims()[1],
        "a queue [{m}, {width}] for queries {:?}",
        q.dims()
    );
    assert!(
        temperature > 0.0,
        "the temperature is {temperature}, and must be above 0"
    );
    let (q, k) = (unit_rows(q), unit_rows(k.detach()));
    let positive = (q.clone() * k).sum_dim(1).div_scalar(temperature);
    let queue = queue.detach().cast(FloatDType::F32);
    let negative = q.matmul(queue.transpose()).div_scalar(temperature);
    against(positive.clone(), Tensor::cat(vec![positive, negative], 1))
}

/// One direction of MoCo v3's loss: each query against the keys of the batch. The method adds both directions.
///
/// ```text
/// loss = 2τ · mean over N of −log softmax(u(q)·u(k)ᵀ / τ)_nn
/// ```
///
/// # Shapes
///
/// - q, k: `[N, D]`
/// - every output: `[1]`
///
/// # Panics
///
/// If the shapes differ or are empty, or `temperature` is not above 0.
pub fn moco_v3<B: Backend>(q: Tensor<B, 2>, k: Tensor<B, 2>, temperature: f64) -> ContrastOutput<B> {
    check_same(["q", "k"], q.dims(), k.dims());
    assert!(
        temperature > 0.0,
        "the temperature is {temperature}, and must be above 0"
    );
    let (q, k) = (unit_rows(q), unit_rows(k.detach()));
    let logits = q.matmul(k.transpose()).div_scalar(temperature);
    let output = against(diagonal(logits.clone()), logits);
    ContrastOutput {
        loss: output.loss.mul_scalar(2.0 * temperature),
        ..output
    }
}

/// Cross-entropy of a positive [N, 1] that is among the logits [N, M].
fn against<B: Backend>(positive: Tensor<B, 2>, logits: Tensor<B, 2>) -> ContrastOutput<B> {
    let n = logits.dims()[0] as f64;
    ContrastOutput {
        loss: sum(log_sum_exp(logits.clone(), 1) - positive.clone()).div_scalar(n),
        positive_rank: mean_rank(logits, positive),
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::golden::{assert_golden, inputs, leaves, value};

    #[test]
    fn v2_is_the_official_code_s() {
        let cases = [
            ((4, 3), 1.216110203671, 7.091456034155e-1),
            ((8, 16), 0.091326138639, 6.369414213047e-2),
        ];
        for ((n, d), loss, norm) in cases {
            let [q, k] = leaves([inputs::za(n, d), inputs::zb(n, d)]);
            let [queue, _] = inputs::banks(6, d);
            let output = moco_v2(q.clone(), k, queue, 0.2);
            assert!((1.0..=7.0).contains(&value(&output.positive_rank)));
            assert_golden(&format!("{n} x {d}"), output.loss, loss, &[q], &[norm]);
        }
    }

    #[test]
    fn v3_is_the_official_code_s() {
        let cases = [
            ((4, 3), 1.0, 4.982605205035, [4.898187701078e-1, 4.448035013966e-1]),
            ((4, 3), 0.2, 1.454282445107, [5.778191593749e-1, 5.189127961762e-1]),
            ((8, 16), 1.0, 8.211329398375, [2.440580130225e-1, 2.388221345516e-1]),
            ((8, 16), 0.2, 1.585499444717, [2.359240884775e-1, 2.273964573278e-1]),
        ];
        for ((n, d), temperature, loss, norms) in cases {
            let p = leaves([inputs::pa(n, d), inputs::pb(n, d)]);
            let z = leaves([inputs::za(n, d), inputs::zb(n, d)]);
            let one = moco_v3(p[0].clone(), z[1].clone(), temperature).loss;
            let other = moco_v3(p[1].clone(), z[0].clone(), temperature).loss;
            assert_golden(&format!("{n} x {d}, {temperature}"), one + other, loss, &p, &norms);
        }
    }

    #[test]
    fn a_query_like_its_key_and_unlike_all_others_has_rank_one() {
        let [z, _] = leaves([inputs::za(4, 3), inputs::zb(4, 3)]);
        assert_eq!(value(&moco_v3(z.clone(), z, 0.2).positive_rank), 1.0);
    }
}
