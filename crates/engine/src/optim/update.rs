//! One parameter as the update rules see it.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// One parameter as the rules see it.
///
/// Values are laid out as a matrix of `dims[0]` rows, whatever the parameter's rank, so that norms are summed along rows
/// first: a fixed order, where one flat sum over a large tensor is not (its order depends on the threads).
pub struct Update<B: Backend> {
    /// The parameter.
    pub value: Tensor<B, 2>,
    /// Its gradient.
    pub gradient: Tensor<B, 2>,
    /// The rule's buffers; empty at the first step.
    pub buffers: Vec<Tensor<B, 2>>,
    /// Whether weight decay applies.
    pub decays: bool,
    /// Whether LARS adapts the rate to the norms.
    pub adapts: bool,
    /// The rate of its group.
    pub learning_rate: f64,
    /// Updates made before this one.
    pub step: u64,
}

/// A parameter's new value, and the rule's buffers for its next update.
pub type Updated<B> = (Tensor<B, 2>, Vec<Tensor<B, 2>>);

impl<B: Backend> Update<B> {
    /// A step of momentum: `µ ← m·µ + direction`, `p ← p − lr·µ`; the buffer is µ.
    pub(super) fn along(mut self, direction: Tensor<B, 2>, momentum: f64) -> Updated<B> {
        let moved = match self.buffers.pop() {
            Some(buffer) => buffer * momentum + direction,
            None => direction,
        };
        (self.value - moved.clone() * self.learning_rate, vec![moved])
    }

    /// The gradient with weight decay added where it applies.
    pub(super) fn decayed(&self, weight_decay: f64) -> Tensor<B, 2> {
        if self.decays {
            self.gradient.clone() + self.value.clone() * weight_decay
        } else {
            self.gradient.clone()
        }
    }
}
