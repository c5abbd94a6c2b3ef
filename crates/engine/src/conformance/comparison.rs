//! Values that were computed in two ways, and how far they may be apart.

use crate::backend::TrainBackend;
use crate::evaluation::to_host;
use burn::backend::Autodiff;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;
use serde::Serialize;

/// The backend that defines what is correct.
pub(super) type Right = Autodiff<Flex>;

/// Which implementation of an operation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The backend's own, as a run takes it.
    Backend,
    /// Plain tensor operations of Burn's, with Burn's gradients.
    Definition,
}

/// What was computed, by name.
pub(super) type Values = Vec<(String, Vec<f32>)>;

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What was computed.
    pub name: String,
    /// The largest difference of two values, as a part of the largest value that is right; infinite (null in JSON) where one is
    /// not finite.
    pub difference: f64,
    /// The most that it may be.
    pub bound: f64,
}

impl Comparison {
    /// Whether the backend computes what it should.
    pub fn holds(&self) -> bool {
        self.difference <= self.bound
    }

    /// Compares the values of one name.
    ///
    /// # Panics
    /// If they are not as many.
    pub(super) fn of(name: String, got: &[f32], right: &[f32], bound: f64) -> Self {
        assert_eq!(got.len(), right.len(), "values of {name}");
        let largest = right
            .iter()
            .fold(f64::MIN_POSITIVE, |most, &x| most.max(f64::from(x).abs()));
        let difference = |(got, right): (&f32, &f32)| {
            let difference = (f64::from(*got) - f64::from(*right)).abs();
            if difference.is_finite() {
                difference
            } else {
                f64::INFINITY
            }
        };
        Self {
            name,
            difference: got.iter().zip(right).map(difference).fold(0.0, f64::max) / largest,
            bound,
        }
    }
}

/// Reports the comparison of every name.
pub(super) fn compare(got: Values, right: Values, bound: f64, report: &mut dyn FnMut(&Comparison)) {
    assert_eq!(got.len(), right.len(), "the same was computed");
    for ((name, got), (_, right)) in got.into_iter().zip(right) {
        report(&Comparison::of(name, &got, &right, bound));
    }
}

/// Values without a pattern in [−1, 1], the same for a seed on every backend.
pub(super) fn noise<B: TrainBackend, const D: usize>(shape: [usize; D], seed: u64, device: &B::Device) -> Tensor<B, D> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Reads a gradient out of all of them.
pub(super) type Reader<B> = Box<dyn Fn(&<B as AutodiffBackend>::Gradients) -> Vec<f32>>;

/// Reads the gradient of a tensor that the output depends on.
pub(super) fn gradient_of<B: TrainBackend, const D: usize>(tensor: &Tensor<B, D>) -> Reader<B> {
    let tensor = tensor.clone();
    Box::new(move |gradients| to_host(tensor.grad(gradients).expect("the output depends on it")))
}

/// An output with the gradients of its sum, weighted without a pattern, for the inputs.
pub(super) fn with_gradients<B: TrainBackend, const D: usize>(
    name: &str,
    output: Tensor<B, D>,
    inputs: &[(&str, Reader<B>)],
    device: &B::Device,
) -> Values {
    let gradient = noise::<B, D>(output.dims(), 99, device);
    let mut values = vec![(name.to_owned(), to_host(output.clone()))];
    let gradients = (output * gradient).sum().backward();
    for (input, gradient) in inputs {
        values.push((format!("{name}, gradient for {input}"), gradient(&gradients)));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_part_of_the_largest_value() {
        let comparison = |got: [f32; 2]| Comparison::of("x".into(), &got, &[-4.0, 1.0], 0.3);
        assert_eq!(comparison([-4.0, 2.0]).difference, 0.25);
        assert!(comparison([-4.0, 2.0]).holds() && !comparison([-2.0, 1.0]).holds());
        assert!(!comparison([f32::NAN, 1.0]).holds() && !comparison([f32::INFINITY, 1.0]).holds());
        let mut reported = Vec::new();
        let values = |x: f32| vec![("a".to_owned(), vec![x]), ("b".to_owned(), vec![2.0])];
        compare(values(1.5), values(1.0), 0.1, &mut |comparison| {
            reported.push((comparison.name.clone(), comparison.holds()))
        });
        assert_eq!(reported, [("a".to_owned(), false), ("b".to_owned(), true)]);
    }
}
