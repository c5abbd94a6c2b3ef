//! Layouts of common trainers: recognition by names and shapes, mapping of names to torchvision's (ResNets) and timm's
//! (vision transformers), and the architecture from the shapes. Functions of names and shapes, without values.

mod architecture;
mod names;
mod origin;
mod recognise;
mod resnet;
mod vit;

pub use architecture::Architecture;
pub use origin::Origin;
pub(crate) use recognise::{HEADS_NOTE, STEM_NOTES, is_secondary};
pub use recognise::{Layout, Mapped, recognise};
pub use resnet::ResNetShape;
pub(crate) use resnet::{Conv, joined};
pub use vit::VitShape;
