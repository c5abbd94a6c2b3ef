//! Images to representations to embeddings, generic over Burn's backends; weights in and out under torch's names.
//!
//! Knows nothing of data sets, losses and optimisers, and opens no files.
//!
//! ```
//! # #[cfg(feature = "cpu")] {
//! use barlow_model::{BarlowTwinsModelConfig, NormMode, ResNetConfig, ResNetDepth, Stem, save_safetensors, state_dict};
//! use burn::tensor::Tensor;
//! use burn_flex::Flex;
//!
//! let device = Default::default();
//! let backbone = ResNetConfig::new(ResNetDepth::ResNet18).with_stem(Stem::Cifar).with_width(8);
//! let config = BarlowTwinsModelConfig::new(backbone, "32-32-16".parse()?);
//! let model = config.init::<Flex>(&device, 42); // seed 42 gives the same weights on every backend
//! let output = model.forward(Tensor::ones([2, 3, 32, 32], &device), NormMode::Train);
//! assert_eq!((output.representations.dims(), output.embeddings.dims()), ([2, 64], [2, 16]));
//! let backbone_file = save_safetensors(&state_dict(&model.backbone), Some(1), None)?; // torchvision's names
//! assert!(backbone_file.len() > 4 * 100_000);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backbone;
mod barlow_twins;
mod exchange;
mod init;
mod layers;
mod names;
mod norm;
pub mod ops;
mod projector;
mod resnet;
mod state;

pub use backbone::Backbone;
pub use barlow_twins::{BarlowTwinsModel, BarlowTwinsModelConfig, ModelOutput};
pub use exchange::{ExchangeError, SafetensorsFile, read_safetensors, save_safetensors};
pub use init::{ConvInit, initialize, initialize_with};
pub use layers::{Conv2d, Conv2dConfig, Linear, LinearConfig};
pub use names::{NamedShape, PathStack, named_shapes, parameter_count, torch_name};
pub use norm::{BatchNorm, BatchNormConfig, NormMode, RunningStatistic};
pub use projector::{Projector, ProjectorConfig, ProjectorError, ProjectorLayer};
pub use resnet::{Block, Downsample, ResNet, ResNetConfig, ResNetDepth, Stem};
pub use state::{HostTensor, StateDict, StateError, check_state_dict, load_state_dict, state_dict, strip_prefix};
