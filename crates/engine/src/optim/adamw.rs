//! AdamW as in PyTorch (`torch.optim.AdamW`): epsilon 1e-8 outside the root, bias-corrected moments.

use super::{Update, Updated};
use burn::tensor::backend::Backend;

/// Adam with decoupled weight decay. Biases and norms are not decayed.
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
    pub(super) fn update<B: Backend>(&self, update: Update<B>) -> Updated<B> {
        let Coefficients {
            betas: [first_beta, second_beta],
            root_correction,
            epsilon,
            decay,
            rate,
        } = self.coefficients(&update);
        let Update {
            value,
            gradient,
            buffers,
            ..
        } = update;
        let square = gradient.clone().square() * (1.0 - second_beta);
        let gradient = gradient * (1.0 - first_beta);
        let (first, second) = match <[_; 2]>::try_from(buffers) {
            Ok([first, second]) => (first * first_beta + gradient, second * second_beta + square),
            Err(_) => (gradient, square),
        };
        let denominator = second.clone().sqrt() / root_correction + epsilon;
        let value = value * decay - first.clone() / denominator * rate;
        (value, vec![first, second])
    }

    /// The numbers of one update.
    pub(super) fn coefficients<B: Backend>(&self, update: &Update<B>) -> Coefficients {
        let count = (update.step + 1) as i32;
        let (first_beta, second_beta) = self.betas;
        Coefficients {
            betas: [first_beta, second_beta],
            root_correction: (1.0 - second_beta.powi(count)).sqrt(),
            epsilon: self.epsilon,
            decay: if update.decays {
                1.0 - update.learning_rate * self.weight_decay
            } else {
                1.0
            },
            rate: update.learning_rate / (1.0 - first_beta.powi(count)),
        }
    }
}

/// The coefficients of an update: `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`,
/// `p ← decay·p − rate·m / (√v / root_correction + epsilon)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Coefficients {
    pub betas: [f64; 2],
    /// √(1 − β₂ᵗ).
    pub root_correction: f64,
    pub epsilon: f64,
    /// 1 − lr·wd.
    pub decay: f64,
    /// lr / (1 − β₁ᵗ).
    pub rate: f64,
}
