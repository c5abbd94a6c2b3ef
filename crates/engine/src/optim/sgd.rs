//! SGD with momentum as in PyTorch (`torch.optim.SGD`): no dampening, no Nesterov.

use super::{Update, Updated};
use burn::tensor::backend::Backend;

/// Stochastic gradient descent: `d = g + wd·p`, `µ ← m·µ + d`, `p ← p − lr·µ`. Biases and norms are not decayed.
///
/// Its rate depends on the scale of the gradients, and so on the loss's `scale`, λ and D; unlike LARS it is sensitive to all
/// three.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Momentum m in [0, 1).
    pub momentum: f64,
    /// Weight decay wd ≥ 0, added to the gradient.
    pub weight_decay: f64,
}

impl Sgd {
    /// The new value, and the momentum buffer.
    pub(super) fn update<B: Backend>(&self, update: Update<B>) -> Updated<B> {
        let direction = update.decayed(self.weight_decay);
        update.along(direction, self.momentum)
    }
}
