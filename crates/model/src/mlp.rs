//! The multilayer perceptron used by all heads: linear layers, each followed by an optional batch norm and an activation.
//!
//! Layers are numbered in exports as in an `nn.Sequential` of Linear, BatchNorm and activation, see [`crate::PathStack::name`].

use crate::layers::{Linear, LinearConfig};
use crate::norm::{BatchNorm, BatchNormConfig, NormMode};
use barlow_ops::NormOps;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, relu};
use burn::tensor::backend::Backend;
use serde::Serialize;
use std::ops::Range;

/// Activation at the end of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The identity.
    None,
    /// max(x, 0).
    Relu,
    /// x·Φ(x) with the exact normal distribution function, torch's default.
    Gelu,
}

/// Batch norm between the linear map and the activation of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadNorm {
    /// No norm.
    None,
    /// With learned scale and shift, torch's default.
    Affine,
    /// With a learned scale and no shift: the last layer of SimCLR's projector.
    ScaleOnly,
    /// Without scale and shift (`affine=False`): the last layer of SimSiam's and MoCo v3's projectors.
    Plain,
}

impl HeadNorm {
    fn init<B: Backend>(self, features: usize, device: &B::Device) -> Option<BatchNorm<B>> {
        let config = BatchNormConfig::new(features);
        let config = match self {
            Self::None => return None,
            Self::Affine => config,
            Self::ScaleOnly => config.with_shift(false),
            Self::Plain => config.with_affine(false),
        };
        Some(config.init(device))
    }
}

/// Settings of one layer: linear map, norm, activation, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerConfig {
    /// Width of the output (≥ 1).
    pub width: usize,
    /// Whether the linear map has a bias.
    pub bias: bool,
    /// Norm after the linear map.
    pub norm: HeadNorm,
    /// Activation after the norm.
    pub activation: Activation,
}

/// Settings of an [`Mlp`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MlpConfig {
    /// The layers from input to output, at least one.
    pub layers: Vec<LayerConfig>,
}

impl MlpConfig {
    /// Width of the output.
    ///
    /// # Panics
    /// If there is no layer.
    pub fn output_width(&self) -> usize {
        self.layers.last().expect("an MLP has at least one layer").width
    }

    /// The widths of the layers joined by dashes, such as "512-512-256".
    pub fn widths(&self) -> String {
        let widths: Vec<String> = self.layers.iter().map(|layer| layer.width.to_string()).collect();
        widths.join("-")
    }

    /// Builds the module with zero linear weights, not yet allocated. Set them with [`crate::initialize`] or
    /// [`crate::load_state_dict`].
    ///
    /// # Panics
    /// If there is no layer, or a layer of width 0.
    pub fn init<B: Backend>(&self, in_features: usize, device: &B::Device) -> Mlp<B> {
        let widths: Vec<usize> = self.layers.iter().map(|layer| layer.width).collect();
        assert!(
            !widths.is_empty() && !widths.contains(&0),
            "an MLP needs layers wider than 0, got {widths:?}"
        );
        let inputs = std::iter::once(in_features).chain(widths);
        let layers = self.layers.iter().zip(inputs).map(|(layer, from)| MlpLayer {
            linear: LinearConfig::new(from, layer.width).with_bias(layer.bias).init(device),
            norm: layer.norm.init(layer.width, device),
            activation: layer.activation,
        });
        Mlp {
            layers: layers.collect(),
        }
    }
}

/// A multilayer perceptron.
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    layers: Vec<MlpLayer<B>>,
}

/// One layer of an [`Mlp`]. Torch numbers its linear map 3i, its norm 3i + 1 and its activation 3i + 2.
#[derive(Module, Debug)]
pub struct MlpLayer<B: Backend> {
    linear: Linear<B>,
    norm: Option<BatchNorm<B>>,
    activation: Activation,
}

impl<B: NormOps> Mlp<B> {
    /// Applies the layers in order.
    ///
    /// # Shapes
    /// - `x`: [N, in]
    /// - returns [N, out]
    ///
    /// # Panics
    /// If there is a batch norm and the batch has one row in a training mode.
    pub fn forward(&self, x: Tensor<B, 2>, mode: NormMode) -> Tensor<B, 2> {
        self.layers.iter().fold(x, |x, layer| layer.forward(x, mode))
    }

    /// Applies all layers but the last.
    ///
    /// # Shapes
    /// - `x`: [N, in]
    /// - returns [N, width of the last layer's input]
    ///
    /// # Panics
    /// Same as [`forward`](Self::forward).
    pub fn forward_hidden(&self, x: Tensor<B, 2>, mode: NormMode) -> Tensor<B, 2> {
        let (_, hidden) = self.layers.split_last().expect("an MLP has at least one layer");
        hidden.iter().fold(x, |x, layer| layer.forward(x, mode))
    }

    /// Some outputs of the last layer, from what [`forward_hidden`](Self::forward_hidden) returns.
    ///
    /// # Shapes
    /// - `x`: [N, width of the last layer's input]
    /// - returns [N, outputs]
    ///
    /// # Panics
    /// If the last layer has a norm, or has no such outputs.
    pub fn forward_last(&self, x: Tensor<B, 2>, outputs: Range<usize>) -> Tensor<B, 2> {
        let layer = self.layers.last().expect("an MLP has at least one layer");
        assert!(
            layer.norm.is_none(),
            "the outputs of a layer with a norm are not independent"
        );
        let (start, length) = (outputs.start, outputs.len());
        let y = x.matmul(layer.linear.weight.val().narrow(1, start, length));
        let y = match &layer.linear.bias {
            Some(bias) => y + bias.val().narrow(0, start, length).unsqueeze(),
            None => y,
        };
        layer.activation.apply(y)
    }

    /// Width of the last layer's input.
    pub fn hidden_width(&self) -> usize {
        let layer = self.layers.last().expect("an MLP has at least one layer");
        layer.linear.weight.dims()[0]
    }
}

impl<B: NormOps> MlpLayer<B> {
    fn forward(&self, x: Tensor<B, 2>, mode: NormMode) -> Tensor<B, 2> {
        let x = self.linear.forward(x);
        match (&self.norm, self.activation) {
            // Norm and ReLU are one operation, which avoids a second pass over the values, forward and backward.
            (Some(norm), Activation::Relu) => norm.forward_relu(x, mode),
            (Some(norm), activation) => activation.apply(norm.forward(x, mode)),
            (None, activation) => activation.apply(x),
        }
    }
}

impl Activation {
    fn apply<B: Backend>(self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match self {
            Self::None => x,
            Self::Relu => relu(x),
            Self::Gelu => gelu(x),
        }
    }
}
