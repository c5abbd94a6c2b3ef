//! Writers of weight files.

mod numpy_pickle;
mod pickle;
mod pth;
mod safetensors;
mod values;
mod zip;

pub(crate) use numpy_pickle::write_numpy_pickle;
pub use pth::write_pth;
pub use safetensors::write_safetensors;
pub use values::{LazyValues, OutTensor, Values};
