//! Inputs and outputs of a method's loss.

use barlow_model::Heads;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

/// The position of a step in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Optimiser steps made before this one.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
}

impl Clock {
    /// The epoch as a fraction: 1.5 is the middle of the second one.
    pub fn epoch(&self) -> f64 {
        self.step as f64 / self.steps_per_epoch as f64
    }

    /// The fraction of the run that is done, in [0, 1].
    pub fn progress(&self) -> f64 {
        self.step as f64 / self.total_steps.max(1) as f64
    }
}

/// The inputs of a method's loss: the whole batch, even if the network computed it in micro-batches.
///
/// Row k of every tensor belongs to image k of the batch.
pub struct MethodBatch<'a, B: AutodiffBackend> {
    /// [N, D], the online projector's embeddings of each view that the network sees, in their order, with their graph.
    pub embeddings: Vec<Tensor<B, 2>>,
    /// [N, D], the teacher's embeddings of each view; `None` for views that it does not see.
    pub teacher: Vec<Option<Tensor<B::InnerBackend, 2>>>,
    /// The teacher's heads, whose prototypes follow the network's as its backbone and projector do.
    pub teacher_heads: Option<&'a Heads<B::InnerBackend>>,
    /// The view group of each view, by its number in the spec.
    pub groups: &'a [usize],
    /// The number of each image in the training set.
    pub indices: &'a [usize],
    /// The class of each image, for methods that train on labels ([`MethodSpec::uses_labels`](super::MethodSpec)); `None` without.
    pub labels: &'a [Option<usize>],
    /// The position in the run.
    pub clock: Clock,
    /// The run's seed: every random draw of a method is keyed by it, the step and its own stream.
    pub seed: u64,
}

/// A loss with its readings, still on the device.
#[derive(Clone, Debug)]
pub struct LossOutput<B: Backend> {
    /// The loss to minimise, `[1]`.
    pub loss: Tensor<B, 1>,
    /// Readings for the log, `[1]` each; the same names in the same order at every step. NaN is an error that ends the run.
    pub readings: Vec<(&'static str, Tensor<B, 1>)>,
}
