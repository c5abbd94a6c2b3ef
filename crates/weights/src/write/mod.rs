//! Writers of weight files.

mod pickle;
mod pth;
mod safetensors;
mod values;
mod zip;

pub use pth::write_pth;
pub use safetensors::write_safetensors;
pub use values::{OutTensor, Values};
