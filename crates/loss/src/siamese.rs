//! Losses of predictions: SimSiam (Chen, He 2020, arXiv 2011.10566) and BYOL (Grill et al. 2020, arXiv 2006.07733). Each view's
//! prediction is compared with the other view's target, which has no gradient.
//!
//! Follow the official codes (facebookresearch/simsiam `builder.py`; google-deepmind/deepmind-research `byol/`).

use burn::tensor::{Tensor, backend::Backend};

use crate::rows::{check_same, mean_cosine};

/// SimSiam's loss: the negative cosine of predictions and the other view's embeddings, in [−1, 1].
///
/// ```text
/// loss = −½ mean_n [ cos(p_a, sg z_b) + cos(p_b, sg z_a) ]
/// ```
///
/// # Shapes
///
/// - p_a, p_b: `[N, D]`, the predictions of both views
/// - z_a, z_b: `[N, D]`, the embeddings; their gradient is stopped here
/// - returns `[1]`, f32
///
/// # Panics
///
/// If the shapes of a prediction and its target differ, or N or D is 0.
pub fn simsiam<B: Backend>([p_a, p_b]: [Tensor<B, 2>; 2], [z_a, z_b]: [Tensor<B, 2>; 2]) -> Tensor<B, 1> {
    cosines(p_a, p_b, z_a, z_b).mul_scalar(-0.5)
}

/// BYOL's loss: the squared distance of predictions and the other view's target, all of unit length, summed over both
/// directions; in [0, 8].
///
/// ```text
/// loss = mean_n [ ‖u(p_a) − u(sg t_b)‖² + ‖u(p_b) − u(sg t_a)‖² ] = 4 − 2 mean cos(p_a, t_b) − 2 mean cos(p_b, t_a)
/// ```
///
/// # Shapes
///
/// - p_a, p_b: `[N, D]`, the predictions of both views
/// - t_a, t_b: `[N, D]`, the teacher's embeddings; their gradient is stopped here
/// - returns `[1]`, f32
///
/// # Panics
///
/// If the shapes of a prediction and its target differ, or N or D is 0.
pub fn byol<B: Backend>([p_a, p_b]: [Tensor<B, 2>; 2], [t_a, t_b]: [Tensor<B, 2>; 2]) -> Tensor<B, 1> {
    cosines(p_a, p_b, t_a, t_b).mul_scalar(-2.0).add_scalar(4.0)
}

/// mean cos(p_a, sg z_b) + mean cos(p_b, sg z_a).
fn cosines<B: Backend>(p_a: Tensor<B, 2>, p_b: Tensor<B, 2>, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> Tensor<B, 1> {
    check_same(["p_a", "z_b"], p_a.dims(), z_b.dims());
    check_same(["p_b", "z_a"], p_b.dims(), z_a.dims());
    mean_cosine(p_a, z_b) + mean_cosine(p_b, z_a)
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::golden::{assert_golden, inputs, leaves};

    #[test]
    fn losses_and_gradients_are_those_of_the_official_codes() {
        let cases = [
            (
                (4, 3),
                -0.673038992314,
                [1.505896451711e-1, 1.446660163790e-1],
                1.307844030743,
                [6.023585806842e-1, 5.786640655159e-1],
            ),
            (
                (8, 16),
                -0.021434747671,
                [6.233122414426e-2, 6.117013133008e-2],
                3.914261009318,
                [2.493248965770e-1, 2.446805253203e-1],
            ),
        ];
        for ((n, d), of_simsiam, norms_of_simsiam, of_byol, norms_of_byol) in cases {
            let what = format!("{n} x {d}");
            let p = leaves([inputs::pa(n, d), inputs::pb(n, d)]);
            let z = leaves([inputs::za(n, d), inputs::zb(n, d)]);
            assert_golden(&what, simsiam(p.clone(), z.clone()), of_simsiam, &p, &norms_of_simsiam);
            let gradients = simsiam(p.clone(), z.clone()).backward();
            assert!(
                z.iter().all(|z| z.grad(&gradients).is_none()),
                "targets have no gradient"
            );
            assert_golden(&what, byol(p.clone(), z), of_byol, &p, &norms_of_byol);
        }
    }

    #[test]
    #[should_panic(expected = "p_a is [4, 3], z_b is [5, 3]")]
    fn targets_of_another_shape_are_refused() {
        let [p_a, p_b] = [inputs::pa(4, 3), inputs::pb(4, 3)];
        simsiam([p_a, p_b], [inputs::za(4, 3), inputs::zb(5, 3)]);
    }
}
