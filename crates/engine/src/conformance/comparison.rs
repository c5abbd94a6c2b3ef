//! The difference between values that were computed in two ways.

use super::{Case, Values};
use serde::Serialize;

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What was computed.
    pub name: String,
    /// The largest difference of two values, relative to the largest correct value of the same tensor: a network's biases are far
    /// smaller than its weights. Infinite (null in JSON) where a value is not finite.
    pub difference: f64,
    /// The largest difference allowed.
    pub bound: f64,
}

impl Comparison {
    /// Whether the difference is within the bound.
    pub fn holds(&self) -> bool {
        self.difference <= self.bound
    }
}

/// Compares the values of a case, name by name.
///
/// # Panics
/// If they differ in number.
pub fn compare(case: &Case, got: Values, correct: Values) -> Vec<Comparison> {
    compared(got, correct, case.bound())
}

fn compared(got: Values, correct: Values, bound: f64) -> Vec<Comparison> {
    assert_eq!(got.len(), correct.len(), "the same was computed");
    let pairs = got.into_iter().zip(correct);
    pairs
        .map(|(got, correct)| {
            assert_eq!(got.tensors.len(), correct.tensors.len(), "tensors of {}", got.name);
            let tensors = got.tensors.iter().zip(&correct.tensors);
            let name = &got.name;
            let differences = tensors.map(|(got, correct)| {
                assert_eq!(got.len(), correct.len(), "elements of {name}");
                relative_difference(got, correct)
            });
            let difference = differences.fold(0.0, f64::max);
            Comparison {
                name: got.name,
                difference,
                bound,
            }
        })
        .collect()
}

fn relative_difference(got: &[f32], correct: &[f32]) -> f64 {
    let largest = correct
        .iter()
        .fold(f64::MIN_POSITIVE, |most, &x| most.max(f64::from(x).abs()));
    let difference = |(got, correct): (&f32, &f32)| {
        let difference = (f64::from(*got) - f64::from(*correct)).abs();
        if difference.is_finite() {
            difference
        } else {
            f64::INFINITY
        }
    };
    got.iter().zip(correct).map(difference).fold(0.0, f64::max) / largest
}

#[cfg(test)]
mod tests {
    use super::super::Measured;
    use super::*;

    #[test]
    fn a_difference_is_relative_to_the_largest_value_of_its_tensor() {
        let difference = |got: [f32; 2]| relative_difference(&got, &[-4.0, 1.0]);
        assert_eq!(difference([-4.0, 2.0]), 0.25);
        assert_eq!(difference([-2.0, 1.0]), 0.5);
        assert_eq!(difference([f32::NAN, 1.0]), f64::INFINITY);
        assert_eq!(difference([f32::INFINITY, 1.0]), f64::INFINITY);
    }

    #[test]
    fn every_name_is_compared_and_the_worst_tensor_counts() {
        let values = |x: f32, y: f32| {
            let tensors = vec![vec![100.0], vec![y]];
            vec![
                Measured::of("a", vec![x]),
                Measured {
                    name: "b".into(),
                    tensors,
                },
            ]
        };
        let comparisons = compared(values(1.5, 0.9), values(1.0, 1.0), 0.2);
        let found: Vec<_> = comparisons
            .iter()
            .map(|comparison| (comparison.name.as_str(), comparison.holds()))
            .collect();
        assert_eq!(found, [("a", false), ("b", true)]);
        assert!((comparisons[1].difference - 0.1).abs() < 1e-6);
    }
}
