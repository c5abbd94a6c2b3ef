//! Convolution and linear layer, the layers with weights of the networks in this crate.
//!
//! Their weights are zero until [`crate::initialize`] or a state dict sets them. The zeros are allocated on first use, so that
//! counting parameters allocates nothing, and loading a file does not allocate the weights twice.

use barlow_ops::{ConvGeometry, ConvOps, grouped_conv2d};
use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::Serialize;

/// Settings of a [`Conv2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Conv2dConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Side of the square kernel, in pixels.
    pub kernel: usize,
    /// Distance between two outputs, in pixels.
    pub stride: usize,
    /// Padding on each side, in pixels.
    pub padding: usize,
    /// Groups of channels that are convolved apart (≥ 1).
    pub groups: usize,
}

impl Conv2dConfig {
    /// Settings of one group with padding (kernel − 1) / 2, so that a stride of 1 preserves the size of an image.
    pub fn new(in_channels: usize, out_channels: usize, kernel: usize, stride: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel,
            stride,
            padding: (kernel - 1) / 2,
            groups: 1,
        }
    }

    /// Sets the padding on each side, in pixels.
    pub fn with_padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// Sets the number of groups (≥ 1).
    pub fn with_groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// Builds the layer with zero weights that are not yet allocated.
    ///
    /// # Panics
    /// If the number of groups does not divide the channels.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Conv2d<B> {
        let &Self {
            in_channels,
            out_channels,
            kernel,
            groups,
            ..
        } = self;
        assert!(
            in_channels.is_multiple_of(groups) && out_channels.is_multiple_of(groups),
            "a convolution of {in_channels} to {out_channels} channels has no {groups} groups"
        );
        Conv2d {
            weight: zeros([out_channels, in_channels / groups, kernel, kernel], device),
            stride: self.stride,
            padding: self.padding,
            groups,
        }
    }
}

/// Convolution with a square kernel, the same stride and padding on both axes, no bias.
#[derive(Module, Debug)]
pub struct Conv2d<B: Backend> {
    /// [C_out, C_in / groups, k, k]
    pub weight: Param<Tensor<B, 4>>,
    stride: usize,
    padding: usize,
    groups: usize,
}

impl<B: ConvOps> Conv2d<B> {
    /// [N, C_in, H, W] → [N, C_out, ⌈H / stride⌉, ⌈W / stride⌉] for odd kernels and the default padding.
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        grouped_conv2d(
            x,
            self.weight.val(),
            ConvGeometry {
                stride: self.stride,
                padding: self.padding,
            },
            self.groups,
        )
    }
}

/// Settings of a [`Linear`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LinearConfig {
    /// Width of the input.
    pub in_features: usize,
    /// Width of the output.
    pub out_features: usize,
    /// Whether the layer has a bias.
    pub bias: bool,
}

impl LinearConfig {
    /// A layer from `in_features` to `out_features`, without bias.
    pub fn new(in_features: usize, out_features: usize) -> Self {
        Self {
            in_features,
            out_features,
            bias: false,
        }
    }

    /// Sets whether the layer has a bias.
    pub fn with_bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Builds the layer with zero weights that are not yet allocated.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Linear<B> {
        Linear {
            weight: zeros([self.in_features, self.out_features], device),
            bias: self.bias.then(|| zeros([self.out_features], device)),
        }
    }
}

/// Linear layer.
#[derive(Module, Debug)]
pub struct Linear<B: Backend> {
    /// [in, out], so that no pass needs to transpose it; exported as torch's [out, in].
    pub weight: Param<Tensor<B, 2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<B, 1>>>,
}

impl<B: Backend> Linear<B> {
    /// [N, in] → [N, out].
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let y = x.matmul(self.weight.val());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}

fn zeros<B: Backend, const D: usize>(shape: [usize; D], device: &B::Device) -> Param<Tensor<B, D>> {
    Param::uninitialized(
        ParamId::new(),
        move |device, require_grad| Tensor::zeros(shape, device).set_require_grad(require_grad),
        device.clone(),
        true,
        shape.into(),
    )
}
