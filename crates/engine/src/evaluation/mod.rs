//! Features of the labelled images, and how well they tell the classes apart.

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
