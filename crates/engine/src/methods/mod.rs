//! The methods, one file each. A new one needs its file, a `mod` line and a line in the registry.

mod barlow_twins;
mod byol;
mod dino;
mod hsic;
mod mix_bt;
mod moco_v2;
mod moco_v3;
mod predictor;
mod readings;
mod registry;
mod sela;
mod simclr;
mod simsiam;
mod small_views;
mod supervised;
mod swav;
mod vicreg;
mod w_mse;

pub use barlow_twins::LossSection;
pub use registry::{MethodKind, MethodSection, is_default};
