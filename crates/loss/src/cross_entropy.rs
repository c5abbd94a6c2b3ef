//! The cross-entropy of classes: the loss of supervised training and fine-tuning.

use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

/// Mean of −log softmax(logits) at the label over the batch, as torch's `cross_entropy`.
///
/// # Shapes
/// - `logits`: [N, K]
/// - `labels`: N classes below K
/// - returns `[1]`
///
/// # Panics
/// If there is not one label per row, or a label is not below K.
pub fn cross_entropy<B: Backend>(logits: Tensor<B, 2>, labels: &[usize]) -> Tensor<B, 1> {
    let [n, classes] = check(logits.dims(), labels);
    // One-hot rows: a sum has a fixed order on every backend, and its gradient no scatter.
    let mut target = vec![0.0f32; n * classes];
    for (row, &label) in target.chunks_exact_mut(classes).zip(labels) {
        row[label] = 1.0;
    }
    let target = Tensor::from_data(TensorData::new(target, [n, classes]), &logits.device());
    (log_softmax(logits, 1) * target).sum() * (-1.0 / n as f64)
}

/// Fraction of the batch whose label has the highest logit, `[1]`.
///
/// # Shapes
/// As [`cross_entropy`].
///
/// # Panics
/// As [`cross_entropy`].
pub fn top1<B: Backend>(logits: Tensor<B, 2>, labels: &[usize]) -> Tensor<B, 1> {
    let [n, _] = check(logits.dims(), labels);
    let labels: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    let labels = Tensor::<B, 2, Int>::from_data(TensorData::new(labels, [n, 1]), &logits.device());
    logits.argmax(1).equal(labels).float().mean()
}

fn check([n, classes]: [usize; 2], labels: &[usize]) -> [usize; 2] {
    assert_eq!(n, labels.len(), "logits [{n}, {classes}] and {} labels", labels.len());
    let highest = labels.iter().max();
    assert!(
        highest.is_none_or(|&label| label < classes),
        "logits [{n}, {classes}] and a label {highest:?}"
    );
    [n, classes]
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn::backend::Autodiff;
    use burn_flex::{Flex, FlexDevice};

    /// torch 2.15, in f64:
    ///
    /// ```python
    /// z = torch.tensor([[0.5, -1.0, 2.0], [3.0, 0.0, -0.5]], dtype=torch.float64, requires_grad=True)
    /// loss = torch.nn.functional.cross_entropy(z, torch.tensor([2, 1])); loss.backward()
    /// ```
    #[test]
    fn it_is_torchs() {
        let z =
            Tensor::<Autodiff<Flex>, 2>::from_data([[0.5, -1.0, 2.0], [3.0, 0.0, -0.5]], &FlexDevice).require_grad();
        let loss = cross_entropy(z.clone(), &[2, 1]);
        let gradients = loss.backward();
        let loss: f32 = loss.into_scalar();
        assert!((f64::from(loss) - LOSS).abs() < 1e-6, "{loss}");
        let gradient: Vec<f32> = z.grad(&gradients).unwrap().into_data().to_vec().unwrap();
        for (found, expected) in gradient.iter().zip(GRADIENT) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found}, not {expected}");
        }
        let right: f32 = top1(z.inner(), &[2, 1]).into_scalar();
        assert_eq!(right, 0.5);
    }

    const LOSS: f64 = 1.65912897;
    const GRADIENT: [f64; 6] = [
        0.087645196,
        0.019556287,
        -0.10720148,
        0.46296963,
        -0.4769501,
        0.013980471,
    ];

    #[test]
    #[should_panic(expected = "logits [1, 2] and a label Some(2)")]
    fn a_label_beyond_the_classes_is_refused() {
        cross_entropy(Tensor::<Flex, 2>::zeros([1, 2], &FlexDevice), &[2]);
    }
}
