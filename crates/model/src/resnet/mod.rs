//! ResNets, wide ResNets and ResNeXt as in torchvision, without the classifier.

mod activations;
mod block;
mod config;
mod convolutions;
mod network;

pub use block::{Block, Downsample};
pub use config::{ResNetConfig, ResNetDepth, Stem};
pub use convolutions::ConvShape;
pub use network::ResNet;
