//! AdamW as PyTorch has it (`torch.optim.AdamW`): epsilon 1e-8 outside the root, bias-corrected moments.

use super::Update;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Adam with decoupled weight decay. Parameters of rank one are not decayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Decay of the first and the second moment; torch (0.9, 0.999).
    pub betas: (f64, f64),
    /// Added to the root of the second moment; torch 1e-8 (Burn's own default is 1e-5).
    pub epsilon: f64,
    /// Decoupled weight decay ≥ 0: every step shrinks a weight by `lr·wd` of itself.
    pub weight_decay: f64,
}

impl AdamW {
    /// torch's moments and epsilon with the given decay.
    pub fn new(weight_decay: f64) -> Self {
        Self {
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay,
        }
    }

    /// The new value, and both moments.
    pub(super) fn update<B: Backend>(&self, update: Update<B>) -> (Tensor<B, 2>, Vec<Tensor<B, 2>>) {
        let Update {
            value,
            gradient,
            buffers,
            is_vector,
            learning_rate,
            step,
        } = update;
        let (first_beta, second_beta) = self.betas;
        let square = gradient.clone().square() * (1.0 - second_beta);
        let gradient = gradient * (1.0 - first_beta);
        let (first, second) = match <[_; 2]>::try_from(buffers) {
            Ok([first, second]) => (first * first_beta + gradient, second * second_beta + square),
            Err(_) => (gradient, square),
        };
        let count = (step + 1) as i32;
        let first_correction = 1.0 - first_beta.powi(count);
        let second_correction = (1.0 - second_beta.powi(count)).sqrt();
        let denominator = second.clone().sqrt() / second_correction + self.epsilon;
        let decay = if is_vector {
            1.0
        } else {
            1.0 - learning_rate * self.weight_decay
        };
        let value = value * decay - first.clone() / denominator * (learning_rate / first_correction);
        (value, vec![first, second])
    }
}
