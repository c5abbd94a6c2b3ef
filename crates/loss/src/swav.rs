//! The swapped prediction of SwAV (Caron et al. 2020, arXiv 2006.09882): each crop predicts the balanced cluster assignment of the
//! other ones.
//!
//! Follows the official code (facebookresearch/swav `main_swav.py`). The Sinkhorn iterations run in the log domain: the same codes
//! without an overflow, whatever the scores.

use burn::tensor::{FloatDType, Tensor, backend::Backend};

use crate::reference::sum;
use crate::rows::{log_sum_exp, soft_cross_entropy};

/// Settings of [`sinkhorn`]; the defaults are the official ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SinkhornConfig {
    /// Entropy weight ε, `> 0`: the scores are divided by it.
    pub epsilon: f64,
    /// Rounds, `>= 1`; the paper finds fewer than 3 to fail.
    pub rounds: usize,
}

impl Default for SinkhornConfig {
    fn default() -> Self {
        Self {
            epsilon: 0.05,
            rounds: 3,
        }
    }
}

/// Codes of a batch: soft assignments whose rows sum to 1, and whose columns have about equal sums (Sinkhorn-Knopp).
///
/// ```text
/// Q = exp(scores / ε), divided by its sum; rounds times { columns to sums of 1/K, rows to sums of 1/B }; times B
/// ```
///
/// Without a gradient, in f32.
///
/// # Shapes
///
/// - scores: `[B, K]`, the inner products of embeddings and prototypes
/// - returns `[B, K]`
///
/// # Panics
///
/// If B, K, `epsilon` or `rounds` is 0.
pub fn sinkhorn<B: Backend>(scores: Tensor<B, 2>, config: &SinkhornConfig) -> Tensor<B, 2> {
    let [n, k] = scores.dims();
    assert!(n > 0 && k > 0, "scores of shape [{n}, {k}]");
    assert!(
        config.epsilon > 0.0 && config.rounds > 0,
        "epsilon {} and {} rounds must be above 0",
        config.epsilon,
        config.rounds
    );
    let (log_n, log_k) = ((n as f64).ln(), (k as f64).ln());
    // Dividing by the total changes nothing after the first round.
    let mut log_q = scores.detach().cast(FloatDType::F32).div_scalar(config.epsilon);
    for _ in 0..config.rounds {
        let of_prototypes = log_sum_exp(log_q.clone(), 0);
        log_q = log_q - of_prototypes.add_scalar(log_k);
        let of_images = log_sum_exp(log_q.clone(), 1);
        log_q = log_q - of_images.add_scalar(log_n);
    }
    log_q.add_scalar(log_n).exp()
}

/// The loss: the cross-entropy of the codes of crop i and the softmax of every other crop's scores.
///
/// ```text
/// loss = mean over crops i with codes, of the mean over all crops v ≠ i, of mean_n −Σ_k codes_i log softmax(scores_v / τ)
/// ```
///
/// The gradient flows into the scores of every crop, and none into the codes.
///
/// # Shapes
///
/// - scores: `[N, K]` of each crop, those with codes first
/// - codes: `[N, K]` of the first crops, from [`sinkhorn`]
/// - returns `[1]`, f32
///
/// # Panics
///
/// If there are no codes, fewer than two crops, more codes than crops, shapes that differ, or if `temperature` is not above 0.
pub fn swapped_prediction<B: Backend>(
    scores: &[Tensor<B, 2>],
    codes: &[Tensor<B, 2>],
    temperature: f64,
) -> Tensor<B, 1> {
    assert!(
        scores.len() >= 2 && (1..=scores.len()).contains(&codes.len()),
        "{} crops and codes of {}: at least two crops, and codes of the first ones",
        scores.len(),
        codes.len()
    );
    assert!(
        temperature > 0.0,
        "the temperature is {temperature}, and must be above 0"
    );
    let shapes: Vec<_> = scores.iter().chain(codes).map(Tensor::dims).collect();
    assert!(
        shapes.iter().all(|shape| shape == &shapes[0]),
        "scores and codes have different shapes: {shapes:?}"
    );
    let others = (scores.len() - 1) as f64;
    let scaled: Vec<Tensor<B, 2>> = scores
        .iter()
        .map(|scores| scores.clone().cast(FloatDType::F32).div_scalar(temperature))
        .collect();
    let pairs = codes.iter().enumerate().flat_map(|(i, code)| {
        let others = scaled.iter().enumerate().filter(move |(v, _)| *v != i);
        others.map(|(_, scores)| soft_cross_entropy(code.clone().detach(), scores.clone()))
    });
    let total = pairs.reduce(|sum, term| sum + term).expect("there is a pair");
    total.div_scalar(others * codes.len() as f64)
}

/// How sharp codes are, and how many prototypes they use; each `[1]` and in [0, 1].
#[derive(Clone, Debug)]
pub struct CodeUse<B: Backend> {
    /// Mean entropy of an image's code over log K: 0 where each image has one prototype.
    pub entropy: Tensor<B, 1>,
    /// exp of the entropy of the mean code, over K: the fraction of the prototypes that is in use.
    pub prototypes: Tensor<B, 1>,
}

/// [`CodeUse`] of codes [N, K], or of any rows that sum to 1.
pub fn code_use<B: Backend>(codes: Tensor<B, 2>) -> CodeUse<B> {
    let [n, k] = codes.dims();
    let codes = codes.detach().cast(FloatDType::F32);
    // −q log q is 0 at 0.
    let entropy = |q: Tensor<B, 2>| sum(q.clone() * q.clamp_min(1e-30).log()).neg();
    let log_k = (k as f64).ln().max(f64::MIN_POSITIVE);
    CodeUse {
        entropy: entropy(codes.clone()).div_scalar(n as f64 * log_k),
        prototypes: entropy(codes.mean_dim(0)).exp().div_scalar(k as f64),
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::golden::{Diff, assert_golden, inputs, leaves, value};
    use crate::unit_rows;

    type Matrix = Tensor<Diff, 2>;

    fn loss(crops: &[Matrix], w: &Matrix, banks: Option<[Matrix; 2]>) -> Tensor<Diff, 1> {
        let score = |z: Matrix| z.matmul(w.clone().transpose());
        let scores: Vec<Matrix> = crops.iter().map(|z| score(unit_rows(z.clone()))).collect();
        let codes = |view: usize| {
            let n = scores[view].dims()[0];
            let all = match &banks {
                None => scores[view].clone(),
                Some(banks) => Tensor::cat(vec![score(banks[view].clone()), scores[view].clone()], 0),
            };
            let rows = all.dims()[0];
            sinkhorn(all, &SinkhornConfig::default()).narrow(0, rows - n, n)
        };
        swapped_prediction(&scores, &[codes(0), codes(1)], 0.1)
    }

    #[test]
    fn loss_and_gradients_are_those_of_the_official_code() {
        let small = |two: f64, three: f64, banks: f64| [two, three, banks];
        let cases = [
            (
                (4, 3),
                small(0.722824629068, 3.037108772823, 0.634999598787),
                [3.643628167566e-1, 2.626037413180e-1, 1.074648342845],
                [1.821814083783e-1, 1.313018706590e-1, 1.508118089489, 3.121268659652],
                [3.177513664424e-1, 1.610544386034e-1, 1.057181153323],
            ),
            (
                (8, 16),
                small(1.875696561350, 2.902777416238, 1.226690023271),
                [4.325189318187e-1, 3.382310326201e-1, 2.022734019035],
                [2.162594659093e-1, 1.691155163100e-1, 5.403515072017e-1, 3.041332536394],
                [3.956233276204e-1, 2.743624539873e-1, 1.261263958713],
            ),
        ];
        for ((n, d), [two, three, banks], of_two, of_three, of_banks) in cases {
            let what = format!("{n} x {d}");
            let [a, b, c, w] = leaves([
                inputs::za(n, d),
                inputs::zb(n, d),
                inputs::zc(n, d),
                inputs::prototypes(5, d),
            ]);
            let found = loss(&[a.clone(), b.clone()], &w, None);
            assert_golden(&what, found, two, &[a.clone(), b.clone(), w.clone()], &of_two);
            let all = [a.clone(), b.clone(), c.clone()];
            let found = loss(&all, &w, None);
            assert_golden(&what, found, three, &[a.clone(), b.clone(), c, w.clone()], &of_three);
            let found = loss(&[a.clone(), b.clone()], &w, Some(inputs::banks(6, d)));
            assert_golden(&what, found, banks, &[a, b, w], &of_banks);
        }
    }

    #[test]
    fn codes_are_those_of_the_official_code() {
        let scores = unit_rows(inputs::za(8, 16)).matmul(inputs::prototypes(5, 16).transpose());
        let codes = sinkhorn(scores, &SinkhornConfig::default());
        let row: Vec<f32> = codes.clone().narrow(0, 0, 1).into_data().to_vec().unwrap();
        let expected = [0.019345175303, 0.100025056623, 0.880620305837, 0.0, 9.462236e-6];
        for (found, expected) in row.into_iter().zip(expected) {
            assert!((f64::from(found) - expected).abs() < 1e-5, "{found}, not {expected}");
        }
        let sums: Vec<f32> = codes.sum_dim(1).into_data().to_vec().unwrap();
        assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-5));
    }

    #[test]
    fn large_scores_do_not_overflow() {
        let codes = sinkhorn(inputs::za(6, 4) * 1e4, &SinkhornConfig::default());
        let values: Vec<f32> = codes.into_data().to_vec().unwrap();
        assert!(values.into_iter().all(f32::is_finite));
    }

    #[test]
    fn use_of_prototypes_is_one_for_equal_codes_and_a_kth_for_one_code() {
        let equal = code_use(Matrix::ones([3, 4], &Default::default()) * 0.25);
        assert!((value(&equal.entropy) - 1.0).abs() < 1e-6 && (value(&equal.prototypes) - 1.0).abs() < 1e-6);
        let one = Matrix::from_floats([[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], &Default::default());
        let one = code_use(one);
        assert!(value(&one.entropy).abs() < 1e-6 && (value(&one.prototypes) - 0.25).abs() < 1e-6);
    }
}
