//! Evaluation: features of the labelled images, kNN and linear accuracy.

mod accuracy;
mod chunk;
mod evaluate;
mod features;
mod host;
mod linear_choice;
mod network;
mod of_weights;
mod part;
mod watch;

pub use accuracy::{Accuracy, LinearAccuracy, LinearProtocol};
pub use chunk::evaluation_chunk;
pub use evaluate::{LinearWanted, evaluate};
pub use features::{Chunk, FeaturePass, LabelledFeatures};
pub(crate) use host::to_host;
pub use linear_choice::{LinearChoice, linear_choice};
pub(crate) use network::NetworkOnDevice;
pub use network::{Network, Rows};
pub use of_weights::network_of;
pub use part::stratified_part;
pub use watch::{EvaluationError, Phase, Watch};
