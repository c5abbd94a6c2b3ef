//! The registry of this crate's backbones: one type of settings and one module for all of them.
//!
//! A program picks a network at run time. As variants of one enum, all networks share one compiled training step per backend; a
//! type parameter for each would compile it again. A new backbone is a file (or folder) with its settings and its module, and a line
//! of the `registry!` below.

use crate::backbone::Backbone;
use crate::norm::NormMode;
use crate::resnet::{ConvShape, ResNet, ResNetConfig};
use crate::row_keys::RowKeys;
use crate::vit::{Vit, VitConfig};
use barlow_ops::ModelOps;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::Serialize;

/// Declares the settings and the module. A variant's settings have the methods of [`BackboneConfig`], its module is a [`Backbone`]
/// for all [`ModelOps`].
macro_rules! registry {
    ($($(#[$doc:meta])* $kind:ident($config:ty, $module:ident);)*) => {
        /// Settings of a [`BuiltinBackbone`].
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub enum BackboneConfig {
            $($(#[$doc])* $kind($config),)*
        }

        /// A backbone of this crate. Exported names do not show that it is a variant of an enum.
        #[derive(Module, Debug)]
        #[expect(clippy::large_enum_variant, reason = "there is one per model")]
        pub enum BuiltinBackbone<B: Backend> {
            $($(#[$doc])* $kind($module<B>),)*
        }

        $(
            impl From<$config> for BackboneConfig {
                fn from(config: $config) -> Self {
                    Self::$kind(config)
                }
            }
        )*

        impl BackboneConfig {
            /// Width F of the representations.
            pub fn feature_dim(&self) -> usize {
                match self {
                    $(Self::$kind(config) => config.feature_dim(),)*
                }
            }

            /// Number of values saved per image between the forward and the backward pass, at `pixels` × `pixels`.
            pub fn kept_values(&self, pixels: usize) -> usize {
                match self {
                    $(Self::$kind(config) => config.kept_values(pixels),)*
                }
            }

            /// Shape of the largest tensor per image, not counting the image itself, at `pixels` × `pixels`.
            pub fn largest_map(&self, pixels: usize) -> Vec<usize> {
                match self {
                    $(Self::$kind(config) => config.largest_map(pixels),)*
                }
            }

            /// The layers as convolutions of an image of `pixels` × `pixels`, for counting operations.
            pub fn convolutions(&self, pixels: usize) -> Vec<ConvShape> {
                match self {
                    $(Self::$kind(config) => config.convolutions(pixels),)*
                }
            }

            /// Builds the network with zero weights, not yet allocated. Set them with [`crate::initialize`] or
            /// [`crate::load_state_dict`].
            ///
            /// # Panics
            /// If the settings are out of range; see the `init` of each network's settings.
            pub fn init<B: Backend>(&self, device: &B::Device) -> BuiltinBackbone<B> {
                match self {
                    $(Self::$kind(config) => BuiltinBackbone::$kind(config.init(device)),)*
                }
            }
        }

        impl<B: ModelOps> Backbone<B> for BuiltinBackbone<B> {
            fn feature_dim(&self) -> usize {
                match self {
                    $(Self::$kind(network) => Backbone::feature_dim(network),)*
                }
            }

            fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 2> {
                match self {
                    $(Self::$kind(network) => Backbone::forward(network, images, mode),)*
                }
            }

            fn forward_map(&self, images: Tensor<B, 4>, mode: NormMode) -> Option<Tensor<B, 4>> {
                match self {
                    $(Self::$kind(network) => network.forward_map(images, mode),)*
                }
            }

            fn forward_keyed(&self, images: Tensor<B, 4>, mode: NormMode, keys: &RowKeys) -> Tensor<B, 2> {
                match self {
                    $(Self::$kind(network) => network.forward_keyed(images, mode, keys),)*
                }
            }
        }
    };
}

registry! {
    /// A ResNet.
    ResNet(ResNetConfig, ResNet);
    /// A vision transformer.
    Vit(VitConfig, Vit);
}
