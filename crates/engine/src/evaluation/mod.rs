//! Evaluation: features of the labelled images, kNN and linear-probe accuracy.

mod accuracy;
mod chunk;
mod evaluate;
mod host;
mod of_checkpoint;

pub use accuracy::Accuracy;
pub use chunk::evaluation_chunk;
pub use evaluate::{LabelledFeatures, accuracy};
pub(crate) use host::to_host;
pub use of_checkpoint::evaluate_checkpoint;
