//! Initial weights, generated on the host and keyed by (seed, exported name).

mod draw;
mod initialize;

pub use draw::{normal_values, uniform_values};
pub use initialize::{ConvInit, initialize, initialize_with};
