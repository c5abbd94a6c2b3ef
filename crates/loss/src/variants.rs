//! Variants of the paper's loss (its table of loss ablations), in plain tensor operations like [`crate::reference`].
//!
//! Each variant is a value of [`Objective`] or [`Normalization`], whose documentation contains the formula. The variants are for
//! experiments and are not fused.

use burn::tensor::{Tensor, backend::Backend};

use crate::reference::{self, Terms, off_diagonal, positive_part, sum};
use crate::{Normalization, Objective};

/// The settings that determine the terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    pub normalization: Normalization,
    pub objective: Objective,
    /// τ of the cross-entropy.
    pub temperature: f64,
    /// ε of the normalisation.
    pub epsilon: f64,
}

impl Variant {
    /// The terms for embeddings `[N, D]` of both views; shapes have been checked.
    pub fn terms<B: Backend>(&self, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> Terms<B> {
        if self.normalization == Normalization::Batch && self.objective.is_squares() {
            return reference::terms(z_a, z_b, self.epsilon);
        }
        let (a, b) = (self.normalise(z_a), self.normalise(z_b));
        let c = self.correlation(a.clone(), b.clone());
        // Computed from elementwise products, as in the reference: reading the diagonal of C would need a mask.
        let diagonal = (a.clone() * b).sum_dim(0).div_scalar(self.divisor(&a));
        let plain = Terms::of(diagonal.clone(), off_diagonal(c.clone()));
        match self.objective {
            Objective::BarlowTwins | Objective::Invariance | Objective::Redundancy => plain,
            Objective::AutoCorrelation => Terms {
                redundancy_reduction: sum(off_diagonal(self.correlation(a.clone(), a)).square()),
                ..plain
            },
            Objective::CrossEntropy => {
                let positive = positive_part(off_diagonal(c));
                let [_, d] = diagonal.dims();
                Terms {
                    invariance: self.log_sum_exp(diagonal.clone()).neg(),
                    redundancy_reduction: if d == 1 {
                        // There is no pair of features, so the term is omitted, as in the other objectives.
                        sum(positive)
                    } else {
                        self.log_sum_exp(positive)
                    },
                    ..plain
                }
            }
        }
    }

    fn normalise<B: Backend>(&self, z: Tensor<B, 2>) -> Tensor<B, 2> {
        match self.normalization {
            Normalization::Batch => reference::standardise(z, self.epsilon),
            Normalization::Feature => {
                let z = reference::standardise(z, self.epsilon);
                let length = z.clone().square().sum_dim(1).add_scalar(self.epsilon).sqrt();
                z / length
            }
            Normalization::None => reference::centre(z),
        }
    }

    fn correlation<B: Backend>(&self, a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
        let divisor = self.divisor(&a);
        a.transpose().matmul(b).div_scalar(divisor)
    }

    /// N, or 1 if the rows have unit length.
    fn divisor<B: Backend>(&self, rows: &Tensor<B, 2>) -> f64 {
        match self.normalization {
            Normalization::Batch | Normalization::None => rows.dims()[0] as f64,
            Normalization::Feature => 1.0,
        }
    }

    /// log Σ exp(x / τ) over all elements, computed relative to the largest one; `[1]`.
    fn log_sum_exp<B: Backend>(&self, x: Tensor<B, 2>) -> Tensor<B, 1> {
        let x = x.div_scalar(self.temperature);
        let largest = x.clone().detach().max_dim(1).max_dim(0);
        sum((x - largest.clone()).exp()).log() + largest.reshape([1])
    }
}
