//! The networks of a two-stage detector, its losses and its predictions.

mod c4;
mod convolution;
mod dense;
mod losses;
mod mask_head;
mod predict;
mod predictor;
mod rpn;
mod targets;
mod train;

pub use c4::{C4Config, C4Detector};
pub use convolution::Conv2d;
pub use mask_head::{ConvTranspose2d, MaskHead};
pub use predict::Detection;
pub use predictor::BoxPredictor;
pub use rpn::RpnHead;
pub use targets::{ImageTargets, StageConfig};
pub use train::{DetectConfig, Losses, StepKey, StepModes};
