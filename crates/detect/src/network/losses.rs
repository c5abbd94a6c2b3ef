//! The losses of a two-stage detector, as weighted sums.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::backend::Backend;

/// Σ weight · binary cross-entropy of the logits. The gradient of a logit is weight · (sigmoid − target), at 0 too.
pub(super) fn binary<B: Backend, const D: usize>(
    logits: Tensor<B, D>,
    targets: Tensor<B, D>,
    weights: Tensor<B, D>,
) -> Tensor<B, 1> {
    let background = targets.neg().add_scalar(1.0);
    ((logits.clone() * background - log_sigmoid(logits)) * weights).sum()
}

/// Σ weight · |difference|: smooth L1 with β = 0.
pub(super) fn absolute<B: Backend, const D: usize>(
    values: Tensor<B, D>,
    targets: Tensor<B, D>,
    weights: Tensor<B, D>,
) -> Tensor<B, 1> {
    ((values - targets).abs() * weights).sum()
}

/// Σ weight · cross-entropy of the scores [R, C]; the weights [R, C] are 0 but at the true class of each row.
pub(super) fn categorical<B: Backend>(scores: Tensor<B, 2>, weights: Tensor<B, 2>) -> Tensor<B, 1> {
    (log_softmax(scores, 1) * weights).sum().neg()
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;
    use burn_flex::{Flex, FlexDevice};

    type B = Autodiff<Flex>;

    fn tensor<const D: usize>(shape: [usize; D], value: impl Fn(usize) -> f64) -> Tensor<B, D> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|at| value(at) as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &FlexDevice)
    }

    #[track_caller]
    fn close(found: Vec<f32>, expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.into_iter().zip(expected) {
            assert!(
                (f64::from(found) - expected).abs() <= tolerance,
                "{found}, not {expected}"
            );
        }
    }

    fn values<const D: usize>(tensor: Tensor<Flex, D>) -> Vec<f32> {
        tensor.into_data().to_vec().unwrap()
    }

    fn norm(values: &[f32]) -> f64 {
        values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
    }

    /// The RPN's losses of six anchors with the labels 1 0 −1 1 0 0, of 256 sampled (torch, double precision):
    /// ```python
    /// k = torch.arange(6.); label = torch.tensor([1, 0, -1, 1, 0, 0])
    /// logits = 2 * torch.sin(1.3 * k); delta = torch.sin(0.7 * k[:, None] + 0.4 * torch.arange(4))
    /// target = torch.cos(0.9 * k[:, None] + 0.2 * torch.arange(4))
    /// F.binary_cross_entropy_with_logits(logits[label >= 0], label[label >= 0].double(), reduction="sum") / 256
    /// (delta - target)[label == 1].abs().sum() / 256
    /// ```
    #[test]
    fn the_first_stage_agrees_with_torch() {
        let labels = [1.0, 0.0, -1.0, 1.0, 0.0, 0.0];
        let logits = tensor([6], |k| 2.0 * (1.3 * k as f64).sin()).require_grad();
        let deltas = tensor([6, 4], |k| (0.7 * (k / 4) as f64 + 0.4 * (k % 4) as f64).sin()).require_grad();
        let target = tensor([6, 4], |k| (0.9 * (k / 4) as f64 + 0.2 * (k % 4) as f64).cos());
        let weights = tensor([6], |k| if labels[k] >= 0.0 { 1.0 / 256.0 } else { 0.0 });
        let of_objects = tensor([6, 4], |k| if labels[k / 4] == 1.0 { 1.0 / 256.0 } else { 0.0 });
        let cls = binary(logits.clone(), tensor([6], |k| f64::max(labels[k], 0.0)), weights);
        let loc = absolute(deltas.clone(), target, of_objects);
        close(values(cls.clone().inner()), &[0.0212733166264], 1e-7);
        close(values(loc.clone().inner()), &[0.0285386210268], 1e-7);
        let gradients = (cls + loc).backward();
        let expected = [
            -0.001953125,
            0.00340988242999,
            0.0,
            -0.00311825200174,
            0.00057002776347,
            0.00236691785574,
        ];
        close(values(logits.grad(&gradients).unwrap()), &expected, 1e-8);
        let u = 0.00390625;
        let mut expected = vec![0.0; 24];
        expected[..4].copy_from_slice(&[-u, -u, -u, u]);
        expected[12..16].copy_from_slice(&[u; 4]);
        close(values(deltas.grad(&gradients).unwrap()), &expected, 1e-9);
    }

    /// The second stage's losses of five regions with the classes 0, 3 (background), 2, 1, 3 (torch, double precision).
    #[test]
    fn the_second_stage_agrees_with_torch() {
        let classes = [0, 3, 2, 1, 3];
        let scores = tensor([5, 4], |k| (1.1 * (k / 4) as f64 + 0.6 * (k % 4) as f64).sin()).require_grad();
        let offsets = tensor([5, 12], |k| (0.5 * (k / 12) as f64 + 0.3 * (k % 12) as f64).cos()).require_grad();
        let one_hot = tensor([5, 4], |k| if classes[k / 4] == k % 4 { 0.2 } else { 0.0 });
        let target = tensor([5, 12], |k| (0.8 * (k / 12) as f64 + 0.9 * (k % 4) as f64).sin());
        let of_class = tensor([5, 12], |k| if classes[k / 12] == k % 12 / 4 { 0.2 } else { 0.0 });
        let cls = categorical(scores.clone(), one_hot);
        let reg = absolute(offsets.clone(), target, of_class);
        close(values(cls.clone().inner()), &[1.62835107996], 1e-6);
        close(values(reg.clone().inner()), &[1.67958146539], 1e-6);
        let gradients = (cls + reg).backward();
        let found = [
            values(scores.grad(&gradients).unwrap()),
            values(offsets.grad(&gradients).unwrap()),
        ];
        for (found, expected) in found
            .iter()
            .map(|values| norm(values))
            .zip([0.413507538839, 0.692820323028])
        {
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
        let logits = tensor([392], |k| (0.05 * k as f64).sin());
        let target = tensor([392], |k| if (0.03 * k as f64).cos() > 0.0 { 1.0 } else { 0.0 });
        let mask = binary(logits, target, tensor([392], |_| 1.0 / 392.0));
        close(values(mask.inner()), &[0.70288580977], 1e-6);
    }
}
