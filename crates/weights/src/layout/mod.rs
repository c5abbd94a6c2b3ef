//! Layouts of common trainers: recognition by names and shapes, mapping of names to torchvision's, and the architecture of a
//! ResNet from its shapes. Functions of names and shapes, without values.

mod names;
mod origin;
mod recognise;
mod resnet;

pub use origin::Origin;
pub use recognise::{Layout, Mapped, recognise};
pub use resnet::Backbone;
