//! Vision transformers as in timm and MoCo v3, without the classifier. Names of parameters are timm's.

mod block;
mod config;
mod network;
mod patches;
mod positions;
mod sizes;

pub use block::{VitAttention, VitBlock, VitMlp};
pub use config::{Positions, VitConfig, VitInit, VitPool, VitSize};
pub use network::Vit;
pub use patches::PatchEmbed;
