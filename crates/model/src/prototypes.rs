//! Prototypes: a linear layer that compares embeddings with its rows, for the clustering methods (SwAV, SeLa, DeepCluster).

use crate::layers::{Linear, LinearConfig};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::Serialize;

/// Minimum norm by which a prototype is divided, as in torch's `normalize`.
const MIN_NORM: f64 = 1e-12;

/// Settings of [`Prototypes`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrototypesConfig {
    /// Number of prototypes K (≥ 1).
    pub count: usize,
    /// Whether each prototype has a bias (SwAV: false, SeLa: true).
    pub bias: bool,
    /// Whether [`Prototypes::normalized`] scales the prototypes to unit length (SwAV: true).
    pub unit_rows: bool,
}

impl PrototypesConfig {
    /// Builds zero prototypes of width `in_features` that are not yet allocated.
    ///
    /// # Panics
    /// If `count` is 0.
    pub fn init<B: Backend>(&self, in_features: usize, device: &B::Device) -> Prototypes<B> {
        assert!(self.count > 0, "prototypes: the count must be at least 1");
        let layer = LinearConfig::new(in_features, self.count).with_bias(self.bias);
        let Linear { weight, bias } = layer.init(device);
        Prototypes {
            weight,
            bias,
            unit_rows: self.unit_rows,
        }
    }
}

/// K prototypes of width D, exported as the `nn.Linear(D, K)` of the official implementations.
#[derive(Module, Debug)]
pub struct Prototypes<B: Backend> {
    /// [D, K], one prototype per column; exported as torch's [K, D], one prototype per row.
    pub weight: Param<Tensor<B, 2>>,
    /// `[K]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    unit_rows: bool,
}

impl<B: Backend> Prototypes<B> {
    /// Scores: the inner product of each embedding with each prototype, plus the bias. Embeddings are used as given; SwAV
    /// normalises them first.
    ///
    /// # Shapes
    /// - `x`: [N, D]
    /// - returns [N, K]
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let scores = x.matmul(self.weight.val());
        match &self.bias {
            Some(bias) => scores + bias.val().unsqueeze(),
            None => scores,
        }
    }

    /// The prototypes scaled to unit length if `unit_rows` is set, otherwise unchanged. The scaling is not part of the autodiff
    /// graph; parameter ids and the bias do not change. SwAV does this before each step.
    pub fn normalized(self) -> Self {
        if !self.unit_rows {
            return self;
        }
        let (id, weight) = (self.weight.id, self.weight.val().detach());
        let norms = weight.clone().square().sum_dim(0).sqrt().clamp_min(MIN_NORM);
        Self {
            // Only a leaf can be a parameter, and on an autodiff backend even the quotient of two constants is not a leaf.
            weight: self.weight.transform_for_load((weight / norms).detach(), id),
            ..self
        }
    }
}
