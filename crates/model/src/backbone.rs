//! The backbone trait, which custom networks implement to replace those of this crate.

use crate::norm::NormMode;
use crate::row_keys::RowKeys;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A network that maps images to representations.
///
/// A custom backbone is a `#[derive(Module)]` struct that implements this trait. To be trained like the ResNet, it must follow
/// these rules:
///
/// - **Modes.** Only `mode` determines the behaviour of a batch norm, never whether the backend is an autodiff backend. Use
///   [`BatchNorm`](crate::BatchNorm); Burn's own norm ignores the mode and would evaluate features with the statistics of their
///   batch.
/// - **Convolutions.** Use [`Conv2d`](crate::Conv2d) or [`conv2d`](barlow_ops::conv2d): on CUDA and WGPU Burn 0.21's convolution
///   has no gradient for the input where the kernel is smaller than the stride.
/// - **Randomness by key alone.** The forward pass is repeated if a batch is too large for the device, and must return the same
///   values. [`forward`](Self::forward) draws nothing; drop path and the like belong in
///   [`forward_keyed`](Self::forward_keyed), and draw from its keys.
/// - **Names.** A parameter's exported name in checkpoints and exports is the path of field names and indices to it. Renaming a
///   field makes old weights unreadable. Names must be unique ([`check_names`](crate::check_names)).
/// - **Kinds.** A parameter's [`ParamKind`](crate::ParamKind) determines its initial values, its layout in exports, weight decay
///   and adaptation. The parameters of this crate's layers and of `burn::nn`'s `Linear` (in its default layout), `Conv1d`,
///   `Conv2d`, `Conv3d`, `Embedding` and norms have the kind that their layer implies. A raw `Param` is
///   [`Other`](crate::ParamKind::Other): it retains the initial values that the struct sets. Wrap it in
///   [`DeclaredParam`](crate::DeclaredParam) to declare another kind, such as [`Token`](crate::ParamKind::Token). The kind
///   follows from the *name* of the struct that holds the parameter, so do not name a struct `Linear`, `Conv2d`, `Embedding`,
///   `BatchNorm`, .. unless its `weight` and `bias` are of that kind.
pub trait Backbone<B: Backend>: Module<B> + ModuleDisplay {
    /// Width F of the representations.
    fn feature_dim(&self) -> usize;

    /// Representations of one view.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised
    /// - returns [N, F]
    fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 2>;

    /// The last map before it is averaged to the representations, [N, C, h, w] with C = F; `None` for a network without one. Probes
    /// may read it.
    fn forward_map(&self, _images: Tensor<B, 4>, _mode: NormMode) -> Option<Tensor<B, 4>> {
        None
    }

    /// [`forward`](Self::forward) of a training step, with a key for each row. The default ignores the keys. Equal arguments give
    /// equal values, whatever else was computed before, and a row's draws depend on its own key alone.
    fn forward_keyed(&self, images: Tensor<B, 4>, mode: NormMode, _keys: &RowKeys) -> Tensor<B, 2> {
        self.forward(images, mode)
    }
}
