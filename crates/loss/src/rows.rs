//! Operations on the rows of a batch that several objectives share.

use burn::tensor::{Bool, FloatDType, Tensor, backend::Backend};

use crate::reference::sum;

/// The least squared length of a row that is divided by its length: torch's `normalize` has 1e-12 for the length.
const LEAST_SQUARE: f64 = 1e-24;

/// The rows scaled to unit length, in f32; `[N, D]` to `[N, D]`. A row of zeros stays one, with a gradient of zero.
pub fn unit_rows<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let x = x.cast(FloatDType::F32);
    // Clamped inside the root, whose derivative at zero is infinite.
    let length = x.clone().square().sum_dim(1).clamp_min(LEAST_SQUARE).sqrt();
    x / length
}

/// log Σ exp(x) along an axis, computed relative to the largest value; the axis stays, with one element.
pub(crate) fn log_sum_exp<B: Backend>(x: Tensor<B, 2>, axis: usize) -> Tensor<B, 2> {
    let largest = x.clone().detach().max_dim(axis);
    (x - largest.clone()).exp().sum_dim(axis).log() + largest
}

/// log softmax along the rows, computed relative to the largest value of each.
pub(crate) fn log_softmax<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let total = log_sum_exp(x.clone(), 1);
    x - total
}

/// Mean over the rows of the cosine of p and target, `[1]`. The target has no gradient.
pub(crate) fn mean_cosine<B: Backend>(p: Tensor<B, 2>, target: Tensor<B, 2>) -> Tensor<B, 1> {
    let n = p.dims()[0];
    sum(unit_rows(p) * unit_rows(target.detach())).div_scalar(n as f64)
}

/// Mean over N of −Σ_k q log softmax(scores), `[1]`.
///
/// # Shapes
/// - q, scores: `[N, K]`
pub(crate) fn soft_cross_entropy<B: Backend>(q: Tensor<B, 2>, scores: Tensor<B, 2>) -> Tensor<B, 1> {
    let n = q.dims()[0];
    sum(q * log_softmax(scores)).div_scalar(-(n as f64))
}

/// The diagonal of a square matrix as [N, 1].
pub(crate) fn diagonal<B: Backend>(matrix: Tensor<B, 2>) -> Tensor<B, 2> {
    let others = others(&matrix);
    matrix.mask_fill(others, 0.0).sum_dim(1)
}

/// A mask that is true off the diagonal of a matrix.
pub(crate) fn others<B: Backend>(matrix: &Tensor<B, 2>) -> Tensor<B, 2, Bool> {
    Tensor::diag_mask(matrix.dims(), 0, &matrix.device())
}

/// The mean rank of each row's positive among the row's logits, `[1]`: 1 is the best. Equal logits count against the positive, so
/// that embeddings that are all equal have the worst rank.
///
/// # Shapes
/// - logits: `[N, M]`, the positive's among them
/// - positive: `[N, 1]`
pub(crate) fn mean_rank<B: Backend>(logits: Tensor<B, 2>, positive: Tensor<B, 2>) -> Tensor<B, 1> {
    let n = logits.dims()[0];
    let at_least = (logits.detach() - positive.detach()).greater_equal_elem(0.0).float();
    sum(at_least).div_scalar(n as f64)
}

/// Panics unless two tensors have one shape.
pub(crate) fn check_same(names: [&str; 2], a: [usize; 2], b: [usize; 2]) {
    let [first, second] = names;
    assert!(
        a == b && a.iter().all(|&side| side > 0),
        "{first} and {second} must have the same shape [N, D], both at least 1: {first} is {a:?}, {second} is {b:?}"
    );
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn::backend::Autodiff;
    use burn_flex::{Flex, FlexDevice};

    #[test]
    fn a_row_of_zeros_has_a_finite_gradient() {
        let x = Tensor::<Autodiff<Flex>, 2>::from_floats([[0.0, 0.0], [3.0, 4.0]], &FlexDevice).require_grad();
        let unit = unit_rows(x.clone());
        let values: Vec<f32> = unit.to_data().to_vec().unwrap();
        assert_eq!(values, [0.0, 0.0, 0.6, 0.8]);
        let gradient: Vec<f32> = x
            .grad(&unit.square().sum().backward())
            .unwrap()
            .to_data()
            .to_vec()
            .unwrap();
        assert!(gradient.iter().all(|value| value.is_finite()), "{gradient:?}");
    }

    #[test]
    fn ties_count_against_the_positive() {
        let logits = Tensor::<Flex, 2>::from_floats([[1.0, 1.0, 1.0], [0.0, 2.0, 1.0]], &FlexDevice);
        let positive = Tensor::<Flex, 2>::from_floats([[1.0], [2.0]], &FlexDevice);
        assert_eq!(mean_rank(logits, positive).into_scalar(), 2.0);
    }

    #[test]
    fn the_diagonal_is_that_of_the_matrix() {
        let matrix = Tensor::<Flex, 2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &FlexDevice);
        assert_eq!(diagonal(matrix).to_data().to_vec::<f32>().unwrap(), [1.0, 4.0]);
    }
}
