//! The operations of a transformer besides its matrix products: layer norm, GELU, softmax, and attention made of them.

mod attention;
mod autodiff;
#[cfg(feature = "cpu")]
mod flex;
mod ops;
pub mod reference;
mod types;

pub use attention::attention;
pub use ops::{TransformerOps, gelu, layer_norm, softmax};
pub use types::{LayerNormGradients, LayerNormSaved, LayerNormed};
