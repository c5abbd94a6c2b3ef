//! The methods, a file each. A new one is its file, a `mod` line and a line of the registry.

mod barlow_twins;
mod registry;
mod vicreg;

pub use barlow_twins::LossSection;
pub use registry::{MethodKind, MethodSection, is_default};
