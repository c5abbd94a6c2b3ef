//! The predictor of two layers that BYOL, SimSiam and MoCo v3 share.

use barlow_model::{Activation, HeadNorm, LayerConfig, MlpConfig};

/// Linear, batch norm, ReLU, Linear: `hidden` features inside and `width` at its end. Whether either linear layer has a bias differs
/// between the official codes.
pub(super) fn predictor(hidden: usize, width: usize, [hidden_bias, last_bias]: [bool; 2]) -> MlpConfig {
    MlpConfig {
        layers: vec![
            LayerConfig {
                width: hidden,
                bias: hidden_bias,
                norm: HeadNorm::Affine,
                activation: Activation::Relu,
            },
            LayerConfig {
                width,
                bias: last_bias,
                norm: HeadNorm::None,
                activation: Activation::None,
            },
        ],
    }
}
