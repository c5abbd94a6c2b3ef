//! The interface of a backbone, by which a custom network takes the place of the ResNet.

use crate::norm::NormMode;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A network from images to representations.
///
/// A custom backbone is a `#[derive(Module)]` struct with this trait. To be trained like the ResNet it must keep to the following:
///
/// - **Modes.** `mode` alone decides what a batch norm does, never whether the backend differentiates. Use
///   [`BatchNorm`](crate::BatchNorm); Burn's own norm ignores the mode and would evaluate features with the statistics of their batch.
/// - **Convolutions.** Use [`Conv2d`](crate::Conv2d) or [`conv2d`](barlow_ops::conv2d): on CUDA and WGPU Burn 0.21's convolution has no
///   gradient for the input where the kernel is smaller than the stride.
/// - **No randomness.** The forward pass is repeated where a batch is too large for the device, and must give the same values.
/// - **Names.** A parameter's exported name is the path of field names and indices to it, in checkpoints and exports; renaming a field
///   makes old weights unreadable. Names must be unique ([`check_names`](crate::check_names)).
/// - **Kinds.** A parameter's [`ParamKind`](crate::ParamKind) decides its initial values, its layout in exports, weight decay and
///   adaptation. The parameters of this crate's layers and of `burn::nn`'s `Linear` (in its default layout), `Conv1d`, `Conv2d`,
///   `Conv3d`, `Embedding` and norms have the kind that their layer implies. A raw `Param` is [`Other`](crate::ParamKind::Other): it
///   keeps the initial values that the struct gives it. Wrap it in [`DeclaredParam`](crate::DeclaredParam) to declare another kind,
///   such as [`Token`](crate::ParamKind::Token). The kind follows from the *name* of the struct that holds the parameter, so do not
///   call a struct `Linear`, `Conv2d`, `Embedding`, `BatchNorm`, .. unless its `weight` and `bias` are what the name says.
pub trait Backbone<B: Backend>: Module<B> + ModuleDisplay {
    /// Width F of the representations.
    fn feature_dim(&self) -> usize;

    /// Representations of one view.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised
    /// - returns [N, F]
    fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 2>;
}
