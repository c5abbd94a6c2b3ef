//! Backbones and heads, generic over Burn's backends: they map images to representations and embeddings. Weights are imported and
//! exported under torch's names.
//!
//! The crate is independent of data sets, losses and optimisers, and opens no files.
//!
//! ```
//! # #[cfg(feature = "cpu")] {
//! use barlow_model::{HeadsConfig, ModelConfig, NormMode, ProjectorConfig, ResNetConfig, ResNetDepth, Stem};
//! use barlow_model::{save_safetensors, state_dict};
//! use burn::tensor::Tensor;
//! use burn_flex::Flex;
//!
//! let device = Default::default();
//! let backbone = ResNetConfig::new(ResNetDepth::ResNet18).with_stem(Stem::Cifar).with_width(8);
//! let projector = "32-32-16".parse::<ProjectorConfig>()?.mlp(true);
//! let config = ModelConfig::new(backbone, HeadsConfig::new(projector));
//! let model = config.init::<Flex>(&device, 42); // seed 42 gives the same weights on every backend
//! let output = model.forward(Tensor::ones([2, 3, 32, 32], &device), NormMode::Train);
//! assert_eq!((output.representations.dims(), output.embeddings.dims()), ([2, 64], [2, 16]));
//! let backbone_file = save_safetensors(&state_dict(&model.backbone)?, Some(1), None)?; // torchvision's names
//! assert!(backbone_file.len() > 4 * 100_000);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backbone;
mod declared;
mod heads;
mod init;
mod init_as;
mod kind;
mod layers;
mod layout;
mod mlp;
mod model;
mod names;
mod norm;
mod projector;
mod prototypes;
mod registry;
mod resnet;
mod row_keys;
mod safetensors;
mod state;
mod vit;

pub use backbone::Backbone;
pub use declared::DeclaredParam;
pub use heads::{Heads, HeadsConfig};
pub use init::{ConvInit, initialize, initialize_with, normal_values, uniform_values};
pub use init_as::{InitAs, WeightInit};
pub use kind::ParamKind;
pub use layers::{Conv2d, Conv2dConfig, Linear, LinearConfig};
pub use mlp::{Activation, HeadNorm, LayerConfig, Mlp, MlpConfig, MlpLayer};
pub use model::{Model, ModelConfig, ModelOutput};
pub use names::{NamedShape, PathStack, named_shapes, parameter_count};
pub use norm::{BatchNorm, BatchNormConfig, LayerNorm, NormMode, RunningStatistic};
pub use projector::{ProjectorConfig, ProjectorError};
pub use prototypes::{Prototypes, PrototypesConfig};
pub use registry::{BackboneConfig, BuiltinBackbone};
pub use resnet::{Block, ConvShape, Downsample, ResNet, ResNetConfig, ResNetDepth, Stem};
pub use row_keys::RowKeys;
pub use safetensors::{ExchangeError, SafetensorsFile, read_safetensors, save_safetensors};
pub use state::{
    HostTensor, StateDict, StateError, check_names, check_shapes, check_state_dict, load_state_dict, state_dict,
    strip_prefix,
};
pub use vit::{PatchEmbed, Positions, Vit, VitAttention, VitBlock, VitConfig, VitInit, VitMlp, VitPool, VitSize};
