//! Self-distillation without labels (DINO; Caron et al. 2021, arXiv 2104.14294): a student's crops predict a teacher's centred and
//! sharpened distribution of another crop.
//!
//! Follows the official code (facebookresearch/dino `main_dino.py`, `DINOLoss`).

use burn::tensor::activation::softmax;
use burn::tensor::{FloatDType, Tensor, backend::Backend};

use crate::rows::soft_cross_entropy;

/// The loss.
///
/// ```text
/// q_i  = softmax((t_i − centre) / τ_t), without a gradient
/// loss = mean over pairs (i, v), v ≠ i, of mean_n −Σ_k q_i log softmax(s_v / τ_s)
/// ```
///
/// # Shapes
///
/// - student: `[N, K]` of each crop, the teacher's crops first
/// - teacher: `[N, K]` of the first crops
/// - centre: `[1, K]`
/// - temperatures: τ_s and τ_t
/// - returns `[1]`, f32
///
/// # Panics
///
/// If there is no teacher's crop, there are fewer than two of the student, shapes differ, or a temperature is not above 0.
pub fn dino<B: Backend>(
    student: &[Tensor<B, 2>],
    teacher: &[Tensor<B, 2>],
    centre: Tensor<B, 2>,
    [of_student, of_teacher]: [f64; 2],
) -> Tensor<B, 1> {
    assert!(
        student.len() >= 2 && (1..=student.len()).contains(&teacher.len()),
        "{} crops of the student and {} of the teacher: at least two, and the teacher's among them",
        student.len(),
        teacher.len()
    );
    assert!(
        of_student > 0.0 && of_teacher > 0.0,
        "the temperatures are {of_student} and {of_teacher}, and must be above 0"
    );
    let targets = teacher.iter().map(|t| {
        let centred = t.clone().detach().cast(FloatDType::F32) - centre.clone().detach();
        softmax(centred.div_scalar(of_teacher), 1)
    });
    let scaled: Vec<Tensor<B, 2>> = student
        .iter()
        .map(|s| s.clone().cast(FloatDType::F32).div_scalar(of_student))
        .collect();
    let pairs = targets.enumerate().flat_map(|(i, q)| {
        let others = scaled.iter().enumerate().filter(move |(v, _)| *v != i);
        others.map(move |(_, s)| soft_cross_entropy(q.clone(), s.clone()))
    });
    let total = pairs.reduce(|sum, term| sum + term).expect("there is a pair");
    total.div_scalar((teacher.len() * (student.len() - 1)) as f64)
}

/// The centre after a step: `m · centre + (1 − m) · mean over the teacher's crops and images`.
///
/// # Shapes
///
/// - centre: `[1, K]`
/// - teacher: `[N, K]` of each of its crops
/// - returns `[1, K]`
///
/// # Panics
///
/// If there is no crop.
pub fn dino_centre<B: Backend>(centre: Tensor<B, 2>, teacher: &[Tensor<B, 2>], momentum: f64) -> Tensor<B, 2> {
    let crops = teacher.len() as f64;
    let means = teacher.iter().map(|t| t.clone().cast(FloatDType::F32).mean_dim(0));
    let mean = means
        .reduce(|sum, mean| sum + mean)
        .expect("the teacher saw a crop")
        .div_scalar(crops);
    centre.mul_scalar(momentum) + mean.mul_scalar(1.0 - momentum)
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::golden::{assert_golden, inputs, leaves, matrix};

    #[test]
    fn loss_gradients_and_centre_are_those_of_the_official_code() {
        let cases = [
            (
                (4, 3),
                2.189693625186,
                [1.205863461771, 1.239664365823, 1.997836730578],
                0.193013395307,
            ),
            (
                (8, 16),
                12.214336499510,
                [9.706615622714e-1, 1.004848702192, 1.777899585925],
                0.260775369909,
            ),
        ];
        for ((n, k), loss, norms, length) in cases {
            let student = leaves([inputs::za(n, k), inputs::zb(n, k), inputs::zc(n, k)]);
            let teacher = [inputs::pa(n, k), inputs::pb(n, k)];
            let centre = matrix(1, k, |_, j| 0.1 * (0.9 * j).cos());
            let found = dino(&student, &teacher, centre.clone(), [0.1, 0.04]);
            assert_golden(&format!("{n} x {k}"), found, loss, &student, &norms);
            let moved = dino_centre(centre, &teacher, 0.9).square().sum().sqrt().into_scalar();
            assert!((f64::from(moved) - length).abs() < 1e-6, "{moved}, not {length}");
        }
    }
}
