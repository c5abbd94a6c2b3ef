//! LARS as in the official code (main.py, `class LARS`), and solo-learn's clipping for small data sets.

use super::{Update, Updated};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Layer-wise adaptive rate scaling with momentum.
///
/// For a weight `p` with gradient `g`: `d = g + wd·p`, `q = η‖p‖/‖d‖` (1 where either norm is zero; the norm of the
/// **sum**, no epsilon), `µ ← m·µ + q·d`, `p ← p − lr·µ` (no dampening, the rate outside the buffer). Biases and
/// norms take `q = 1` and no decay ([`treatment`](super::treatment)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lars {
    /// Momentum m in [0, 1); official 0.9.
    pub momentum: f64,
    /// Weight decay wd ≥ 0; official 1e-6.
    pub weight_decay: f64,
    /// Trust coefficient η > 0; official 0.001, solo-learn's small data sets 0.02.
    pub trust_coefficient: f64,
    /// LARC: `q ← min(q / lr, 1)`, so the adapted rate never exceeds the given one. Off in the official code.
    pub clip: bool,
    /// Apex's LARC, SwAV's optimiser: `q = η‖p‖/(‖g‖ + wd‖p‖ + 1e-8)`; where `p` or `g` is zero, neither decay nor adaptation.
    pub separate_norms: bool,
    /// SimCLR's LARS: `µ ← m·µ + lr·q·d`, `p ← p − µ`. The same while the rate is constant.
    pub rate_in_momentum: bool,
}

impl Lars {
    /// The new value, and the momentum buffer.
    pub(super) fn update<B: Backend>(&self, update: Update<B>) -> Updated<B> {
        let direction = match (update.adapts, self.separate_norms) {
            (true, true) => self.adapted_apart(&update),
            (true, false) => self.adapted(&update.value, update.decayed(self.weight_decay), update.learning_rate),
            (false, _) => update.decayed(self.weight_decay),
        };
        if self.rate_in_momentum {
            let rate = update.learning_rate;
            let update = Update {
                learning_rate: 1.0,
                ..update
            };
            return update.along(direction * rate, self.momentum);
        }
        update.along(direction, self.momentum)
    }

    /// The decayed gradient with Apex's adaptation.
    fn adapted_apart<B: Backend>(&self, update: &Update<B>) -> Tensor<B, 2> {
        let weight_decay = if update.decays { self.weight_decay } else { 0.0 };
        let value_norm = norm(update.value.clone());
        let gradient_norm = norm(update.gradient.clone());
        let skip = (value_norm.clone() * gradient_norm.clone()).equal_elem(0.0);
        let sum = gradient_norm + value_norm.clone() * weight_decay;
        let ratio = self.clipped(value_norm * self.trust_coefficient / (sum + 1e-8), update.learning_rate);
        // Factors of the gradient and of the value in q (g + wd p).
        let of_gradient = ratio.clone().mask_fill(skip.clone(), 1.0);
        let of_value = (ratio * weight_decay).mask_fill(skip, 0.0);
        update.gradient.clone() * of_gradient + update.value.clone() * of_value
    }

    fn adapted<B: Backend>(&self, value: &Tensor<B, 2>, direction: Tensor<B, 2>, learning_rate: f64) -> Tensor<B, 2> {
        let value_norm = norm(value.clone());
        let direction_norm = norm(direction.clone());
        // Both are norms, so their product is zero exactly where the official code skips the adaptation.
        let skip = (value_norm.clone() * direction_norm.clone()).equal_elem(0.0);
        let ratio = self.clipped(value_norm * self.trust_coefficient / direction_norm, learning_rate);
        direction * ratio.mask_fill(skip, 1.0)
    }

    fn clipped<B: Backend>(&self, ratio: Tensor<B, 2>, learning_rate: f64) -> Tensor<B, 2> {
        // At a rate of zero (the first step of a warm-up) the limit of min(q / lr, 1) is 1.
        match self.clip {
            true if learning_rate > 0.0 => (ratio / learning_rate).clamp_max(1.0),
            true => ratio.ones_like(),
            false => ratio,
        }
    }

    /// q of the norms ‖p‖ and ‖d‖, for backends that have them on the host.
    #[cfg(feature = "cpu")]
    pub(super) fn ratio(&self, [value_norm, direction_norm]: [f64; 2], learning_rate: f64) -> f64 {
        if value_norm == 0.0 || direction_norm == 0.0 {
            return 1.0;
        }
        let ratio = self.trust_coefficient * value_norm / direction_norm;
        match self.clip {
            true if learning_rate > 0.0 => (ratio / learning_rate).min(1.0),
            true => 1.0,
            false => ratio,
        }
    }
}

/// Euclidean norm of a matrix as [1, 1], summed along rows first.
fn norm<B: Backend>(matrix: Tensor<B, 2>) -> Tensor<B, 2> {
    matrix.square().sum_dim(1).sum_dim(0).sqrt()
}
