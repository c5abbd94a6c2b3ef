//! The NT-Xent loss of SimCLR (Chen, Kornblith, Norouzi, Hinton 2020, arXiv 2002.05709): each view's own other view against all
//! other views of the batch.
//!
//! Follows the official code (google-research/simclr `objective.py`), which adds the means of both views' cross-entropies; most
//! other libraries take the mean over all 2N anchors, which is half of it.

use burn::tensor::{Tensor, backend::Backend};

use crate::reference::{check_shapes, sum};
use crate::rows::{diagonal, log_sum_exp, mean_rank, others, unit_rows};

/// The logit of a view with itself, as in the official code: far below every other, and finite.
const OWN: f64 = -1e9;

/// Output of [`nt_xent`]: each tensor is `[1]`, f32 and still on the device.
#[derive(Clone, Debug)]
pub struct NtXentOutput<B: Backend> {
    /// The loss.
    pub loss: Tensor<B, 1>,
    /// Mean cosine of both views of an image. Without a gradient.
    pub positive_similarity: Tensor<B, 1>,
    /// Mean rank of the positive among the 2N − 1 other views, 1 at best. Without a gradient.
    pub positive_rank: Tensor<B, 1>,
}

/// The loss of two batches of embeddings; row k of both comes from image k.
///
/// ```text
/// u    = z / ‖z‖                                   2N rows: those of view a, then those of view b
/// ℓ_i  = −u_i·u_pos(i) / τ + log Σ_{j≠i} exp(u_i·u_j / τ)
/// loss = Σ_i ℓ_i / N                               the sum of both views' means
/// ```
///
/// The gradient flows through both views. The computation is in f32 for every input type.
///
/// # Shapes
///
/// - z_a, z_b: `[N, D]`
/// - every output: `[1]`
///
/// # Panics
///
/// If the shapes differ, N < 2 or D = 0, with both shapes; or if `temperature` is not above 0.
pub fn nt_xent<B: Backend>(z_a: Tensor<B, 2>, z_b: Tensor<B, 2>, temperature: f64) -> NtXentOutput<B> {
    let [n, _] = check_shapes(z_a.dims(), z_b.dims());
    assert!(
        temperature > 0.0,
        "the temperature is {temperature}, and must be above 0"
    );
    let u = Tensor::cat(vec![unit_rows(z_a), unit_rows(z_b)], 0);
    let logits = u.clone().matmul(u.transpose()).div_scalar(temperature);
    let own = others(&logits).bool_not();
    let logits = logits.mask_fill(own, OWN);
    let block = |rows: usize, columns: usize| logits.clone().narrow(0, rows, n).narrow(1, columns, n);
    let positive = Tensor::cat(vec![diagonal(block(0, n)), diagonal(block(n, 0))], 0);
    let loss = sum(log_sum_exp(logits.clone(), 1) - positive.clone()).div_scalar(n as f64);
    NtXentOutput {
        loss,
        positive_similarity: sum(positive.clone().detach()).mul_scalar(temperature / (2 * n) as f64),
        positive_rank: mean_rank(logits, positive),
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::golden::{Diff, assert_golden, inputs, leaves, value};

    #[test]
    fn loss_and_gradients_are_those_of_the_official_code() {
        let cases = [
            ((4, 3), 0.1, 0.945236504307, [1.739456903216, 1.552477247737]),
            ((4, 3), 0.5, 2.375954738196, [6.528787124613e-1, 3.326815167471e-1]),
            ((8, 16), 0.1, 0.973870789344, [4.219044699222e-1, 2.935989665020e-1]),
            ((8, 16), 0.5, 3.026234902010, [1.719833636069e-1, 1.162803280964e-1]),
        ];
        for ((n, d), temperature, loss, norms) in cases {
            let [a, b] = leaves([inputs::za(n, d), inputs::zb(n, d)]);
            let output = nt_xent(a.clone(), b.clone(), temperature);
            assert_golden(&format!("{n} x {d}, {temperature}"), output.loss, loss, &[a, b], &norms);
        }
    }

    #[test]
    fn equal_embeddings_have_the_loss_of_a_guess_and_the_worst_rank() {
        let z = Tensor::<Diff, 2>::ones([5, 3], &Default::default());
        let output = nt_xent(z.clone(), z, 0.1);
        assert!((value(&output.loss) - 2.0 * 9.0f64.ln()).abs() < 1e-5);
        assert_eq!(value(&output.positive_rank), 9.0);
        assert!((value(&output.positive_similarity) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_order_of_the_views_does_not_matter() {
        let [a, b] = leaves([inputs::za(6, 5), inputs::zb(6, 5)]);
        let (one, other) = (nt_xent(a.clone(), b.clone(), 0.2), nt_xent(b, a, 0.2));
        assert!((value(&one.loss) - value(&other.loss)).abs() < 1e-6);
        assert_eq!(value(&one.positive_rank), value(&other.positive_rank));
    }

    #[test]
    #[should_panic(expected = "z_a is [4, 3], z_b is [4, 2]")]
    fn views_of_other_shapes_are_refused() {
        nt_xent(inputs::za(4, 3), inputs::za(4, 2), 0.1);
    }
}
